# One call in either role: frames of its own, re-INVITE, hold, digits, four lines, a challenge or ringing without end.
# Arguments: to = address called (none: wait for a call), mode = plain | again | renew | hold | dtmf | lines | auth | ring,
# frames = how many are enough, remote = how often the other side re-INVITEs, open = lines open in mode lines, host = our
# address for the lines, hang_up = 1 sends the BYE (default: who calls does), registrar, aor = register this address first,
# codec = payload type.
use strict;
use warnings;
use Net::SIP;
use Net::SIP::Util qw(create_rtp_sockets);
use Said;

my %arg = arguments(
    to => '', mode => 'plain', frames => 20, remote => 0, open => '0,1,2,3',
    host => '127.0.0.1', hang_up => '', registrar => '', aor => '', codec => 0,
);
$arg{hang_up} = $arg{to} ? 1 : 0 if $arg{hang_up} eq '';

my $ua = agent(\%arg);
my ($call, $final, $code, $ended, $enough, $phase, $sent) = (undef, undef, undef, 0, 0, 'first', 0);
my (%received, %channels, @digits, @preliminary, @outcomes, $established);
$received{$_} = 0 for qw(first between second third);

sub frame { $sent++; return pack('N', $sent) x 40 }
sub got {
    my ($payload, $seq, $timestamp, $channel, $payload_type) = @_;
    return if $payload_type != $arg{codec};
    $channels{$channel}++;
    $enough = 1 if ++$received{$phase} >= $arg{frames} and $phase ne 'between';
}
sub phase { $phase = shift; $enough = 0 }

my %media;
if ($arg{mode} eq 'lines') {
    my %open = map { $_ => 1 } split /,/, $arg{open};
    my (@lines, @sockets);
    for my $line (0 .. 3) {
        my ($port, @pair) = create_rtp_sockets($arg{host}, 2);
        push @sockets, \@pair;
        push @lines, { port => $open{$line} ? $port : 0, range => 2, proto => 'RTP/AVP', media => 'audio', fmt => 0 };
    }
    %media = (sdp => Net::SIP::SDP->new({ addr => $arg{host} }, @lines), media_lsocks => \@sockets);
}
my %param = (
    %media,
    rtp_param => [$arg{codec}, 160, 0.02],
    cb_established => sub { phase('second') if ++$established == $arg{remote} },
    cb_dtmf => sub { push @digits, $_[0] },
    recv_bye => sub { $ended++ },
    init_media => $arg{to} || $arg{mode} eq 'lines'
        ? $ua->rtp('send_recv', \&frame, 1, \&got)
        : $ua->rtp('recv_echo', \&got),
);

if ($arg{registrar}) {
    my $granted = $ua->register(registrar => $arg{registrar}, from => $arg{aor}, expires => 60);
    die 'not registered: ' . ($ua->error || '?') if !$granted;
}
if ($arg{to}) {
    $call = $ua->invite(
        $arg{to}, %param,
        cb_preliminary => sub { push @preliminary, $_[1] },
        cb_final => sub {
            my ($status, $self, %info) = @_;
            ($final, $code) = ($status, $info{packet} ? $info{packet}->code : $info{code});
        },
    );
    $ua->loop(10, \$final);
    die "not established: $final $code" if $final ne 'OK';
} else {
    my %auth = $arg{mode} eq 'auth' ? (auth_user2pass => { alice => 'secret' }, auth_realm => 'perl') : ();
    $ua->listen(
        %auth, %param,
        cb_create => sub {
            my ($new, $request, $leg, $from) = @_;
            $call = $new;
            if ($arg{mode} eq 'plain') {    # as the library's own test does: 180 before the 200
                $ua->{endpoint}->new_response($new->{ctx}, $request->create_response('180', 'Ringing'), $leg, $from);
            }
            return 1;
        },
        $arg{mode} eq 'ring' ? (cb_invite => sub { $_[1]->create_response('180', 'Ringing') }) : (),
    );
    ready();
}

if ($arg{mode} eq 'ring') {
    $ua->loop(20, \$ended);
} elsif ($arg{mode} eq 'dtmf') {
    if ($arg{to}) {
        $call->dtmf('12D#', duration => 250, methods => 'rfc2833');
        $call->dtmf('34B*', duration => 250, methods => 'audio');
        $ua->loop(0.5);
    }
} elsif ($arg{mode} ne 'lines') {
    $ua->loop(10, \$enough);
} else {
    $ua->loop(2);
}

if (!$arg{remote} and $arg{mode} =~ /^(again|renew|hold)$/) {
    phase('between');
    my @more = $arg{to} ? () : (init_media => $ua->rtp('send_recv', \&frame, 1, \&got));
    my %how = (again => [], renew => [clear_sdp => 1], hold => [call_on_hold => 1]);
    my @how = @{ $how{ $arg{mode} } };
    for my $next ([second => @how], $arg{mode} eq 'hold' ? [third => (clear_sdp => 1)] : ()) {
        my ($name, @change) = @$next;
        phase('between');
        $final = undef;
        $call->reinvite(@change, @more, cb_final => sub { $final = $_[0] });
        $ua->loop(10, \$final);
        push @outcomes, $final;
        $ua->loop(0.3);
        phase($name);
        $ua->loop($arg{mode} eq 'hold' && $name eq 'second' ? 1.2 : 10, \$enough);
    }
} elsif ($arg{remote}) {
    phase('between') if !$established or $established < $arg{remote};
    $ua->loop(10, \$enough);
}

my $bye;
my %context = map { $_ => $call->{ctx}{$_} } qw(from to incoming remote_contact);    # before the end of the call empties it
if ($arg{hang_up}) {
    $call->bye(cb_final => \$bye);
    $ua->loop(10, \$bye);
} else {
    $ua->loop(10, \$ended);
    $ua->loop(0.5);
}
say_and_end(
    final => $final, code => $code, preliminary => \@preliminary, received => \%received, channels => \%channels,
    digits => \@digits, outcomes => \@outcomes, established => $established || 0, ended => $ended, sent => $sent,
    bye => $bye ? 1 : 0, context => \%context,
);
