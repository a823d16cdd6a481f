# A registrar: behind a challenge, or together with a stateless proxy in one process. Says what it saw when it gets TERM.
# Arguments: mode = auth | proxy, realm, exempt = user part of the contacts that need no password. In mode auth carol's
# password comes from a callback, dave's H(A1) is stored, and whoever registers must be who From and To say.
use strict;
use warnings;
use Digest::MD5 'md5_hex';
use Net::SIP;
use Said;

my %arg = arguments(mode => 'auth', realm => 'example.invalid', exempt => '');

# First in the chain: notes requests and hands them on.
package Witness;
sub new { my ($class, $seen) = @_; return bless { seen => $seen }, $class }
sub receive {
    my ($self, $packet) = @_;
    return if !$packet->is_request;
    my ($contact) = $packet->get_header('contact');
    my ($authorization) = $packet->get_header('authorization');
    push @{ $self->{seen} }, [$packet->method, $contact, $authorization ? 1 : 0];
    return;
}

package main;

my $ua = agent(\%arg);
my (@seen, @asked, $stop);
my $registrar = $ua->create_registrar(min_expires => 1, max_expires => 300);
my @chain;
if ($arg{mode} eq 'auth') {
    my $auth = $ua->create_auth(
        realm => $arg{realm},
        opaque => 'HumptyDumpty',
        user2pass => sub { my $user = shift; push @asked, $user; return $user eq 'carol' ? 'open' : undef },
        user2a1 => { dave => md5_hex("dave:$arg{realm}:hidden") },
        filter => { REGISTER => [['ToIsFrom', 'FromIsRealm', 'FromIsAuthUser']] },
    );
    my $exempt = sub {
        my ($contact) = shift->get_header('contact');
        return !($arg{exempt} && $contact && $contact =~ m{\bsips?:\Q$arg{exempt}\E\@});
    };
    @chain = (Net::SIP::ReceiveChain->new([$auth], filter => $exempt), $registrar);
} else {
    @chain = ($registrar, $ua->create_stateless_proxy);
}
$ua->create_chain([Witness->new(\@seen), @chain]);
$SIG{TERM} = sub { $stop = 1 };
ready();
$ua->loop(\$stop);
my %store = %{ $registrar->_store };
my %bound = map { $_ => [sort keys %{ $store{$_} }] } keys %store;
say_and_end(seen => \@seen, asked => \@asked, bound => \%bound);
