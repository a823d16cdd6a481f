# One call: numbered frames of 160 octets out, what comes back is kept, digits if asked for, then BYE.
# Arguments: to = address called, frames = how many at least, dtmf = digits to send,
# linger = seconds to listen on after the last frame or digit, sdp_on_ack = 1 offers nothing in the INVITE.
use strict;
use warnings;
use Net::SIP;
use Said;

my %arg = arguments(to => '', frames => 100, dtmf => '', duration => 100, linger => 0.5, sdp_on_ack => 0);

my $ua = agent(\%arg);

my ($final, $code, $sent, $stopped) = (undef, undef, 0, 0);
my (%received, @digits, @preliminary);
my $enough;
my $call = $ua->invite(
    $arg{to},
    sdp_on_ack => $arg{sdp_on_ack},
    cb_preliminary => sub { push @preliminary, $_[1] },
    cb_final => sub {
        my ($status, $self, %info) = @_;
        $final = $status;
        $code = $info{packet} ? $info{packet}->code : $info{code};
    },
    cb_dtmf => sub { push @digits, [@_[0, 1]] },
    dtmf_methods => 'rfc2833',
    cb_rtp_done => \$enough,
    init_media => $ua->rtp('send_recv',
        sub {    # payloads that cannot be mistaken: the number of the frame, forty times
            $enough = 1 if $sent >= $arg{frames};
            return if $stopped;
            return pack('N', $sent++) x 40;
        },
        1,
        sub {
            my ($payload, $seq, $timestamp, $channel, $payload_type) = @_;
            return if $payload_type != 0;
            my $number = unpack('N', $payload);
            $received{whole}++ if $payload eq pack('N', $number) x 40;
            push @{ $received{numbers} }, $number;
        },
    ),
);
$ua->loop(10, \$final);
say_and_end(final => $final, code => $code, preliminary => \@preliminary) if !$final or $final ne 'OK';

$ua->loop(\$enough);
$call->dtmf($arg{dtmf}, duration => $arg{duration}, methods => 'rfc2833') if $arg{dtmf} ne '';
my $sent_before_end = $sent;
$ua->loop($arg{linger});
$stopped = 1;

my $bye;
$call->bye(cb_final => \$bye);
$ua->loop(10, \$bye);
say_and_end(
    final => $final, code => $code, preliminary => \@preliminary, sent => $sent_before_end,
    numbers => $received{numbers} || [], whole => $received{whole} || 0, digits => \@digits, bye => $bye ? 1 : 0,
);
