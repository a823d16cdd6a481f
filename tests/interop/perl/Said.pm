# What every script here shares: its arguments, its user agent, its bound in time, and its one JSON object at the end.
package Said;
use strict;
use warnings;
use JSON::PP;
use Net::SIP;
use base 'Exporter';
our @EXPORT = qw(arguments agent ready say_and_end);

$| = 1;

# The words name=value of the command line over the defaults; ends the script after `seconds`.
# local = our leg as a URI; ca, cert, key = files for legs of TLS; user, password = what challenges are answered with;
# proxy = where all requests go; from = who it is.
sub arguments {
    my %given = (
        local => '', ca => '', cert => '', key => '', user => '', password => '', proxy => '',
        from => 'sip:perl@example.invalid', @_,
    );
    for my $word (@ARGV) {
        my ($name, $value) = split /=/, $word, 2;
        die "unknown argument $name" unless exists $given{$name} or $name eq 'seconds';
        $given{$name} = $value;
    }
    $SIG{ALRM} = sub { die "not done within $given{seconds} s" };
    alarm int $given{seconds};
    return %given;
}

# A user agent with one leg. Certificates are checked against the test's own CA, names are not looked at.
sub agent {
    my ($arg, %more) = @_;
    my %tls = (SSL_ca_file => $arg->{ca}, SSL_cert_file => $arg->{cert}, SSL_key_file => $arg->{key});
    return Net::SIP::Simple->new(
        leg => $arg->{local},
        from => $arg->{from},
        $arg->{ca} ? (tls => { %tls, SSL_verifycn_scheme => 'none' }) : (),
        $arg->{user} ? (auth => [$arg->{user}, $arg->{password}]) : (),
        $arg->{proxy} ? (outgoing_proxy => $arg->{proxy}) : (),
        %more,
    );
}

sub ready { print "ready\n" }

sub say_and_end {
    my %said = @_;
    print JSON::PP->new->canonical->encode(\%said), "\n";
    exit 0;
}

1;
