# One call that is given up while it rings: what the callbacks of the INVITE and of the CANCEL saw.
# Arguments: to = address called.
use strict;
use warnings;
use Net::SIP;
use Said;

my %arg = arguments(to => '');

my $ua = agent(\%arg);

my ($final, $code, $ringing, $cancelled, @preliminary);
my $call = $ua->invite(
    $arg{to},
    cb_preliminary => sub { push @preliminary, $_[1]; $ringing = 1 if $_[1] == 180 },
    cb_final => sub {
        my ($status, $self, %info) = @_;
        ($final, $code) = ($status, $info{code});
    },
);
$ua->loop(5, \$ringing, \$final);
$ua->loop(0.3);
my $could = $call->cancel(cb_final => \$cancelled);
$ua->loop(10, \$final);
$ua->loop(1, \$cancelled);
say_and_end(
    final => $final, code => $code, preliminary => \@preliminary, could => $could ? 1 : 0, cancelled => $cancelled ? 1 : 0,
);
