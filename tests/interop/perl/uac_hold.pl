# One call that is put on hold and taken back: how many frames came in each phase.
# Arguments: to = address called, phase = seconds of each phase.
use strict;
use warnings;
use Net::SIP;
use Said;

my %arg = arguments(to => '', phase => 1.5);

my $ua = agent(\%arg);

my ($final, $phase, $sent) = (undef, 'talk', 0);
my %received = (talk => 0, hold => 0, resumed => 0, between => 0);
my $call = $ua->invite(
    $arg{to},
    cb_final => sub { $final = $_[0] },
    init_media => $ua->rtp('send_recv', sub { pack('N', $sent++) x 40 }, 1, sub { $received{$phase}++ if $_[4] == 0 }),
);

# The status of an (re-)INVITE that is under way.
sub outcome {
    $ua->loop(10, \$final);
    my $status = $final;
    $final = undef;
    return $status || 'none';
}

my @outcomes = outcome();
$ua->loop($arg{phase});
for my $next (['hold', call_on_hold => 1], ['resumed', clear_sdp => 1]) {
    my ($name, @how) = @$next;
    $phase = 'between';
    $call->reinvite(@how);
    push @outcomes, outcome();
    $ua->loop(0.2);    # what was on its way
    $phase = $name;
    $ua->loop($arg{phase});
}
my $bye;
$call->bye(cb_final => \$bye);
$ua->loop(10, \$bye);
say_and_end(outcomes => \@outcomes, received => \%received, bye => $bye ? 1 : 0);
