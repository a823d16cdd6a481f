# Net::SIP as a media peer: real calls between two processes, one sending frames (send_recv), one echoing (recv_echo).
#
# usage: media_net_sip.pl echo PORT
#        media_net_sip.pl send PORT CALLS SECONDS
#
# "send" places CALLS calls to PORT, sends 160 octets every 20 ms on each for SECONDS and counts what comes back.
# Prints one line of JSON: packets sent and received, CPU seconds (user + system) while all calls were up.
use strict;
use warnings;
use Net::SIP;

my ($role, $port, $calls, $seconds) = @ARGV;
my ($sent, $received) = (0, 0);

if ($role eq 'echo') {
    my $agent = Net::SIP::Simple->new(leg => "127.0.0.1:$port", from => 'sip:echo@127.0.0.1');
    my ($first, $over);
    my $count = sub { $received++; $first //= [times]; };
    $agent->listen(init_media => $agent->rtp('media_recv_echo', $count, 0), recv_bye => sub { $over //= [times]; });
    my $idle = 0;
    local $SIG{TERM} = sub { report($first, $over); exit 0 };
    print "ready\n";
    STDOUT->flush;
    $agent->loop;
} else {
    my $agent = Net::SIP::Simple->new(leg => '127.0.0.1:0', from => 'sip:send@127.0.0.1');
    my $payload = "\xff" x 160;
    my ($up, @live) = (0);
    for my $number (1 .. $calls) {
        my $call = $agent->invite("sip:echo\@127.0.0.1:$port",
            init_media => $agent->rtp('media_send_recv', sub { $sent++; $payload }, 0, sub { $received++ }),
            cb_final => sub { $up++ });
        push @live, $call;
        $agent->loop(0.01);
    }
    my $wait = 0;
    $agent->loop(0.1), $wait++ while $up < $calls && $wait < 100;
    die "only $up of $calls calls are up" if $up < $calls;
    ($sent, $received) = (0, 0);
    my $start = [times];
    $agent->loop($seconds);
    my $end = [times];
    my ($s, $r) = ($sent, $received);
    my $gone = 0;
    $_->bye(cb_final => sub { $gone++ }) for @live;
    $agent->loop(1, \$gone);
    ($sent, $received) = ($s, $r);
    report($start, $end);
}

sub report {
    my ($start, $end) = @_;
    $start //= [0, 0];
    $end //= [times];
    my $cpu = $end->[0] + $end->[1] - $start->[0] - $start->[1];
    $sent = $received if $role eq 'echo';
    printf qq({"sent": %d, "received": %d, "cpu": %.6f}\n), $sent, $received, $cpu;
}
