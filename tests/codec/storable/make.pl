# Fixtures of Storable: images, and what Perl says of each once it has thawed it.
#
# Law: prints one JSON object, by name: the image in hexadecimal, by the way it was made, and the
# value. The value is said in words that JSON can carry: ["text", ..], ["bytes", hexadecimal],
# ["int", digits], ["float", digits], ["undef"], ["list", ..], ["dict", [key, value] ..],
# ["same", n] for the n-th list or dict once more. Told apart by the flags that Perl itself keeps.

use strict;
use warnings;
no warnings qw(once recursion);
use utf8;
use B ();
use JSON::PP ();
use Math::BigInt;
use Scalar::Util qw(blessed reftype weaken refaddr);
use Storable qw(freeze nfreeze thaw store nstore retrieve lock_store);
use Tie::Hash;
use Tie::Array;
use Tie::Scalar;
use Hash::Util qw(lock_keys lock_hash);
use File::Temp qw(tempdir);

$Storable::canonical = 1;
$Storable::Deparse   = 1;
$Storable::Eval      = sub { my $source = shift; sub { $source } };

package Point      { sub new { my ($class, %data) = @_; bless {%data}, $class } }
package Overloaded { use overload '""' => sub { "text of it" }; sub new { bless { x => 1 }, shift } }
package Hooked {
    sub new            { my ($class, $text, @refs) = @_; bless { text => $text, refs => [@refs] }, $class }
    sub STORABLE_freeze { my ($self, $cloning) = @_; return ($self->{text}, @{ $self->{refs} }) }
    sub STORABLE_thaw   { my ($self, $cloning, $text, @refs) = @_; $self->{text} = $text; $self->{refs} = [@refs] }
}

package main;

my $latin = "caf\xe9";
my $upgraded = "caf\xe9";
utf8::upgrade($upgraded);

my $shared = { name => "one" };
my $cycle = { name => "self" };
$cycle->{self} = $cycle;
my @ring = (1);
push @ring, [ \@ring ];
my $loop = [ {} ];
$loop->[0]{elem} = \$loop->[0];
my $weak = { parent => undef, child => { name => "child" } };
$weak->{child}{parent} = $weak;
weaken($weak->{child}{parent});
my $deep = "end";
$deep = [$deep] for 1 .. 40;
tie my %tied_hash, 'Tie::StdHash';
%tied_hash = (a => 1, b => [2]);
tie my @tied_array, 'Tie::StdArray';
@tied_array = (1, 2, 3);
tie my $tied_scalar, 'Tie::StdScalar';
$tied_scalar = "behind";
my $locked = { a => 1, b => 2 };
lock_keys(%$locked, qw(a b c));
my @sparse;
$sparse[3] = 1;
my %wide = map { ("key $_" => $_) } 1 .. 30;
my $hooked_self = Hooked->new("me");
push @{ $hooked_self->{refs} }, { owner => $hooked_self };
my @hooks = map { Hooked->new("text $_", $shared, [ $_ ]) } 1 .. 3;

my %values = (
    undef        => \undef,
    nothing      => [ undef, { a => undef } ],
    sparse       => \@sparse,
    empty        => [ {}, [], "" ],
    nested       => { a => [ 1, { b => [ {}, [ [] ] ] } ], c => { d => { e => "f" } } },
    deep         => $deep,
    wide         => \%wide,
    text         => [ "plain", "", "caf\x{e9} \x{263a}", "\x{1f600}", "\x{263a}" x 300 ],
    bytes        => [ $latin, "\x00\xff\x80", "\xc3\xa9", join("", map { chr } 0 .. 255) ],
    upgraded     => [ $upgraded ],
    keys         => { plain => 1, "\x{263a}" => 2, $upgraded => 3, "" => 4 },
    bytes_keys   => { "\xe9" => 1, plain => 2 },
    long_text    => [ "x" x 600, "y" x 255, "z" x 256 ],
    scalar       => \"alone",
    ints         => [ 0, 1, -1, 127, 128, -127, -128, -129, 255, 256, 32767, -32768, 65536 ],
    ints_32      => [ 2**31 - 1, -2**31, 2**31, 2**32, -2**31 - 1, 4294967295 ],
    ints_64      => [ 9223372036854775807, -9223372036854775807 - 1, 18446744073709551615, 9223372036854775808 ],
    doubles      => [ 1.5, -0.25, 1e300, -1e-300, 0.1, 3.0e20 ],
    infinite     => [ 9**9**9, -9**9**9 ],
    digits       => [ "007", "1.50", "1e3", "-5", "0", "18446744073709551616", " 1", "0x10" ],
    booleans     => [ !!1, !!0, \!!1, \!!0, { on => !!1, off => !!0 } ],
    json_bool    => [ JSON::PP::true(), JSON::PP::false() ],
    blessed      => Point->new(x => 1, y => [ 2, Point->new(x => 3) ]),
    blessed_list => bless([ 1, bless(\(my $inner = "in"), "Inner") ], "List"),
    long_class   => bless({ a => bless({}, "B" x 200) }, "C" x 200),
    many_classes => [ map({ bless [], "C$_" } 1 .. 130), bless([], "C1"), bless([], "C129"), bless([], "C130") ],
    overloaded   => [ Overloaded->new, Overloaded->new ],
    references   => [ \"to text", \\"twice", \[ "to a list" ], \{ a => \1 } ],
    shared       => [ $shared, $shared, { again => $shared } ],
    shared_text  => do { my $text = "one"; [ \$text, \$text ] },
    cycle        => $cycle,
    ring         => \@ring,
    loop         => $loop,
    weak         => $weak,
    regexps      => [ qr/a.b/i, qr/^x\/y$/msx, qr/caf\xe9/, qr/x/aa, qr/y{300}/n, qr/${\("long" x 100)}/ ],
    code         => { run => sub { return 42 }, name => "code" },
    tied_hash    => \%tied_hash,
    tied_array   => \@tied_array,
    tied_scalar  => \$tied_scalar,
    tied_element => [ \$tied_hash{b}, \$tied_array[1] ],
    locked       => $locked,
    versions     => [ v1.2.3, v1.22.333 ],
    hooked       => Hooked->new("frozen text"),
    hooked_refs  => [ @hooks, $shared ],
    hooked_self  => $hooked_self,
    hooked_long  => Hooked->new("t" x 300, (map { [] } 1 .. 260)),
    session      => {
        user_id => 42, login => "ada", csrf => "0123456789abcdef", last_seen => 1234567890.25,
        cart => [ { sku => "007", count => 2, price => "9.90" } ], name => "Ada L\x{f6}velace \x{263a}",
        roles => { admin => 1, editor => 0 }, remember => undef,
    },
);

my (%number, $count);

sub say_of {
    my ($value) = @_;
    return ["undef"] unless defined $value || ref $value;
    return text_of($value) unless ref $value;
    my $kind = reftype $value;
    if (blessed $value && $value->isa("Hooked")) {
        return [ "same", $number{ refaddr $value } ] if exists $number{ refaddr $value };
        $number{ refaddr $value } = $count++;
        return [ "list", text_of($value->{text}), map { say_of($_) } @{ $value->{refs} } ];
    }
    return text_of("$value") if $kind eq "REGEXP";
    return text_of($value->()) if $kind eq "CODE";
    if ($kind eq "HASH" && tied %$value) { return say_of(tied %$value) }
    if ($kind eq "ARRAY" && tied @$value) { return say_of(tied @$value) }
    if ($kind eq "ARRAY" || $kind eq "HASH") {
        return [ "same", $number{ refaddr $value } ] if exists $number{ refaddr $value };
        $number{ refaddr $value } = $count++;
    }
    return [ "list", map { say_of($_) } @$value ] if $kind eq "ARRAY";
    return [ "dict", map { [ text_of($_), say_of($value->{$_}) ] } sort keys %$value ] if $kind eq "HASH";
    if (tied $$value) { return say_of(ref tied $$value eq "Tie::StdScalar" ? ${ tied $$value } : $$value) }
    return say_of($$value);
}

sub text_of {
    my ($value) = @_;
    my $flags = B::svref_2object(\$value)->FLAGS;
    if (!($flags & B::SVf_POK)) {
        return [ "int", "$value" ] if $flags & B::SVf_IOK;
        return [ "float", $value == 9**9**9 ? "inf" : $value == -9**9**9 ? "-inf" : sprintf("%.17g", $value) ]
            if $flags & B::SVf_NOK;
    }
    return [ "text", "$value" ] if utf8::is_utf8($value) || $value !~ /[^\x00-\x7f]/;
    return [ "bytes", unpack("H*", $value) ];
}

my $folder = tempdir(CLEANUP => 1);

sub image_of_file {
    my ($write, $value) = @_;
    $write->($value, "$folder/image");
    open my $file, "<:raw", "$folder/image" or die $!;
    local $/;
    return scalar <$file>;
}

my %made;
for my $name (sort keys %values) {
    my %image = (
        freeze  => freeze($values{$name}),
        nfreeze => nfreeze($values{$name}),
        store   => image_of_file(\&store, $values{$name}),
        nstore  => image_of_file(\&nstore, $values{$name}),
    );
    for my $way (sort keys %image) {
        my $thawed = $way =~ /freeze/ ? thaw($image{$way}) : do {
            open my $file, ">:raw", "$folder/image" or die $!;
            print $file $image{$way};
            close $file;
            retrieve("$folder/image");
        };
        (%number, $count) = ();
        $count = 0;
        $made{$name}{$way} = { image => unpack("H*", $image{$way}), value => say_of($thawed) };
    }
}
print JSON::PP->new->ascii->canonical->indent->indent_length(0)->encode(\%made);
