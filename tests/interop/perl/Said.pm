# What every script here shares: its arguments, its bound in time, and its one JSON object at the end.
package Said;
use strict;
use warnings;
use JSON::PP;
use base 'Exporter';
our @EXPORT = qw(arguments ready say_and_end);

$| = 1;

# The words name=value of the command line over the defaults; ends the script after `seconds`.
sub arguments {
    my %given = @_;
    for my $word (@ARGV) {
        my ($name, $value) = split /=/, $word, 2;
        die "unknown argument $name" unless exists $given{$name} or $name eq 'seconds';
        $given{$name} = $value;
    }
    $SIG{ALRM} = sub { die "not done within $given{seconds} s" };
    alarm int $given{seconds};
    return %given;
}

sub ready { print "ready\n" }

sub say_and_end {
    my %said = @_;
    print JSON::PP->new->canonical->encode(\%said), "\n";
    exit 0;
}

1;
