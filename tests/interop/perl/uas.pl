# Answers calls with echo and counts what it sees until `calls` calls have ended.
# Arguments: local = our address, calls, ring = seconds of 180 before the 200, code = refuse with this instead,
# rtp_param and media behaviour are the library's defaults: PCMU, recv_echo.
use strict;
use warnings;
use Net::SIP;
use Said;

my %arg = arguments(calls => 1, code => 0, hold => 0);

my $ua = agent(\%arg);

my ($invites, $established, $ended, $all) = (0, 0, 0, 0);
my (@digits, %packets, %payload_types);
$ua->listen(
    cb_invite => sub {
        my ($call, $request) = @_;
        $invites++;
        if ($arg{code}) {
            $all = 1 if ++$ended >= $arg{calls};
            return $request->create_response($arg{code}, 'Refused by the peer');
        }
        return;
    },
    cb_established => sub { $established++ if $_[0] eq 'OK' },
    cb_dtmf => sub { push @digits, $_[0] },
    dtmf_methods => 'rfc2833',
    recv_bye => sub { $all = 1 if ++$ended >= $arg{calls} },
    init_media => $ua->rtp('recv_echo', sub {
        my ($payload, $seq, $timestamp, $channel, $payload_type) = @_;
        $packets{$payload_type}++;
    }),
);
ready();
$ua->loop(\$all);
$ua->loop(0.7);    # the response to the BYE, an ACK, a repeated request
say_and_end(
    invites => $invites, established => $established, ended => $ended, digits => \@digits, packets => \%packets,
);
