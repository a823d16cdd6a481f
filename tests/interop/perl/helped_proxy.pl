# A registrar and stateless proxy whose media goes through a nathelper in another process.
# Arguments: local = our address, helper = host:port of the nathelper.
use strict;
use warnings;
use Net::SIP;
use Net::SIP::NATHelper::Client;
use Said;

my %arg = arguments(helper => '');

my $ua = agent(\%arg);
$ua->create_chain([
    $ua->create_registrar,
    $ua->create_stateless_proxy(nathelper => Net::SIP::NATHelper::Client->new($arg{helper})),
]);
ready();
$ua->loop;
