package topology

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// The texts in this test are a contract with data on disk, like the numbers in
// hash_test.go.
func TestStoredFormsArePinned(t *testing.T) {
	for shard, want := range map[Shard]string{0: "!!!!!", 1: "!!!!(", 7: "!!!!?", 8: "!!!(!", 63: "!!!??", 64: "!!(!!", MaxShards - 1: "?????"} {
		if got := string(AppendShard(nil, shard)); got != want {
			t.Errorf("shard %d is stored as %q, want %q", shard, got, want)
		}
	}
	for seq, want := range map[uint64]string{
		0: "!!!!!!!!!!!!!!!!", 1: "!!!!!!!!!!!!!!!(", 0o1234567: "!!!!!!!!!()*,:;?", 1<<48 - 1: "????????????????",
	} {
		if got := string(AppendSeq(nil, seq)); got != want {
			t.Errorf("insertion number %d is stored as %q, want %q", seq, got, want)
		}
	}
	if got, want := string(AppendInjected([]byte("{"), 5, 9)), `{"_miroir_shard":"!!!!:","_miroir_seq":"!!!!!!!!!!!!!!(("`; got != want {
		t.Errorf("injected members are %s, want %s", got, want)
	}
}

func TestAlphabetIsInvisibleToSearchAndNeedsNoEscape(t *testing.T) {
	a := Alphabet()
	if len(a) != 8 || !slices.IsSorted([]byte(a)) || len(slices.Compact([]byte(a))) != 8 {
		t.Fatalf("%q is not eight different bytes in ascending order", a)
	}
	// Measured on real nodes: = and IN tell these apart, no query matches them.
	const invisible = "!\"#%&'()*+,-./:;?@[\\]_{}`"
	for _, c := range a {
		if !strings.ContainsRune(invisible, c) {
			t.Errorf("%q is matched by searches", c)
		}
		if strings.ContainsRune("#&@+-._/", c) {
			t.Errorf("%q is often made a part of words by settings", c)
		}
		if strings.ContainsRune(`"\`, c) || c < ' ' || c > '~' {
			t.Errorf("%q needs an escape", c)
		}
	}
}

func TestStoredFormsHaveOneWidthAndSortAsNumbers(t *testing.T) {
	var last []byte
	for s := range MaxShards {
		b := AppendShard(nil, s)
		if len(b) != ShardWidth || bytes.Compare(last, b) >= 0 {
			t.Fatalf("shard %d is %q after %q", s, b, last)
		}
		last = b
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		x, y := rnd.Uint64()>>(16+rnd.IntN(48)), rnd.Uint64()>>(16+rnd.IntN(48))
		bx, by := AppendSeq(nil, x), AppendSeq(nil, y)
		if len(bx) != SeqWidth || len(by) != SeqWidth {
			t.Fatalf("widths %d and %d", len(bx), len(by))
		}
		if (x < y) != (bytes.Compare(bx, by) < 0) || (x == y) != bytes.Equal(bx, by) {
			t.Fatalf("%d and %d sort otherwise as %q and %q", x, y, bx, by)
		}
	}
}

func TestParseSeqReadsBackAndRefusesTheRest(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	for i := range 10_000 {
		seq := rnd.Uint64() >> (16 + rnd.IntN(48))
		switch i {
		case 0:
			seq = 0
		case 1:
			seq = 1<<48 - 1
		}
		if got, ok := ParseSeq(AppendSeq(nil, seq)); !ok || got != seq {
			t.Fatalf("%d came back as %d, %v", seq, got, ok)
		}
	}
	good := string(AppendSeq(nil, 123456789))
	for name, bad := range map[string]string{
		"nothing":                   "",
		"too short":                 good[1:],
		"too long":                  good + "!",
		"a foreign character":       good[:15] + "#",
		"a digit":                   "0" + good[1:],
		"a zero byte":               good[:5] + "\x00" + good[6:],
		"a byte beyond ASCII":       good[:15] + "\xff",
		"a space after":             good[:15] + " ",
		"a shard":                   string(AppendShard(nil, 3)),
		"as many runes, more bytes": strings.Repeat("é", SeqWidth),
	} {
		if n, ok := ParseSeq([]byte(bad)); ok || n != 0 {
			t.Errorf("%s: read as %d, %v", name, n, ok)
		}
	}
}

func TestInjectedMembersAreJSONOfTheStatedLength(t *testing.T) {
	for _, c := range []struct {
		shard Shard
		seq   uint64
	}{{0, 0}, {1, 1}, {63, 12345}, {MaxShards - 1, 1<<48 - 1}} {
		b := AppendInjected(nil, c.shard, c.seq)
		if len(b) != InjectedLen {
			t.Errorf("%d bytes, InjectedLen is %d", len(b), InjectedLen)
		}
		var doc map[string]string
		if err := json.Unmarshal([]byte(`{"id":"1",`+string(b)+`}`), &doc); err != nil {
			t.Fatalf("%s: %v", b, err)
		}
		seq, ok := ParseSeq([]byte(doc[SeqField]))
		if len(doc) != 3 || doc[ShardField] != string(AppendShard(nil, c.shard)) || !ok || seq != c.seq {
			t.Errorf("%s decodes to %v", b, doc)
		}
	}
	if !strings.HasPrefix(ShardField, ReservedPrefix) || !strings.HasPrefix(SeqField, ReservedPrefix) {
		t.Error("an injected name lacks the reserved prefix")
	}
}

func TestFilterNamesTheShardsOfTheSet(t *testing.T) {
	for _, c := range []struct {
		name   string
		shards []Shard
		want   string
	}{
		{"no shard", nil, `_miroir_shard IN []`},
		{"one shard", []Shard{9}, `_miroir_shard IN ["!!!(("]`},
		{"several shards, ascending", []Shard{64, 0, 7}, `_miroir_shard IN ["!!!!!", "!!!!?", "!!(!!"]`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := string(AppendFilter(nil, ShardSetOf(100, c.shards...))); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
	if got, want := string(AppendFilter([]byte("(a = 1) AND "), ShardSetOf(1, 0))), `(a = 1) AND _miroir_shard IN ["!!!!!"]`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
