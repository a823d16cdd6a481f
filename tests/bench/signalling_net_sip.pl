# Net::SIP as the caller of a signalling benchmark: calls without media, one after the other as fast as it can.
#
# usage: signalling_net_sip.pl PORT CALLS
#
# Prints one line of JSON: calls that were established and hung up, CPU seconds (user + system) for all of them.
use strict;
use warnings;
use Net::SIP;

my ($port, $calls) = @ARGV;
my $agent = Net::SIP::Simple->new(leg => '127.0.0.1:0', from => 'sip:bench@127.0.0.1');
my $good = 0;
my $start = [times];
for my $number (1 .. $calls) {
    my ($final, $gone) = ('', 0);
    my $call = $agent->invite("sip:service\@127.0.0.1:$port", init_media => sub { }, cb_final => \$final);
    $agent->loop(5, \$final);
    last if $final ne 'OK';
    $call->bye(cb_final => \$gone);
    $agent->loop(5, \$gone);
    $good++ if $gone;
}
my $end = [times];
printf qq({"good": %d, "cpu": %.6f}\n), $good, $end->[0] + $end->[1] - $start->[0] - $start->[1];
