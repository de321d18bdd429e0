package topology

import (
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestShardSetAgreesWithAMap(t *testing.T) {
	for _, n := range []int{1, 63, 64, 65, 200} {
		rnd := rand.New(rand.NewPCG(1, uint64(n)))
		set, oracle := NewShardSet(n), map[Shard]bool{}
		other, otherOracle := NewShardSet(n), map[Shard]bool{}
		for range 3000 {
			x := rnd.IntN(n)
			switch rnd.IntN(6) {
			case 0, 1:
				set.Add(x)
				oracle[x] = true
			case 2:
				set.Remove(x)
				delete(oracle, x)
			case 3:
				other.Add(x)
				otherOracle[x] = true
			case 4:
				other.Remove(x)
				delete(otherOracle, x)
			case 5:
				set, other, oracle, otherOracle = other, set, otherOracle, oracle
			}
			checkSet(t, set, oracle, n)
			and, minus, sum := map[Shard]bool{}, map[Shard]bool{}, maps.Clone(otherOracle)
			for x := range oracle {
				if otherOracle[x] {
					and[x] = true
				} else {
					minus[x] = true
				}
				sum[x] = true
			}
			checkSet(t, set.And(other), and, n)
			checkSet(t, set.Minus(other), minus, n)
			if got, want := slices.Collect(set.Common(other)), slices.Sorted(maps.Keys(and)); !slices.Equal(got, want) {
				t.Fatalf("Common yields %v, want %v", got, want)
			}
			added := set.Clone()
			added.AddAll(other)
			checkSet(t, added, sum, n)
			checkSet(t, set, oracle, n) // none of these changed it
			if got, want := set.Equal(other), maps.Equal(oracle, otherOracle); got != want {
				t.Fatalf("Equal is %v, want %v", got, want)
			}
			if got, want := set.Covers(other), len(and) == len(otherOracle); got != want {
				t.Fatalf("Covers is %v, want %v", got, want)
			}
			if got := set.countAnd(other); got != len(and) {
				t.Fatalf("countAnd is %d, want %d", got, len(and))
			}
		}
	}
}

func checkSet(t *testing.T, set ShardSet, oracle map[Shard]bool, n int) {
	t.Helper()
	want := slices.Sorted(maps.Keys(oracle))
	if got := set.Slice(); !slices.Equal(got, want) {
		t.Fatalf("holds %v, want %v", got, want)
	}
	if set.Len() != len(want) || set.Empty() != (len(want) == 0) {
		t.Fatalf("Len %d, Empty %v for %d shards", set.Len(), set.Empty(), len(want))
	}
	for x := -1; x <= n+64; x++ {
		if set.Has(x) != oracle[x] {
			t.Fatalf("Has(%d) is %v", x, set.Has(x))
		}
	}
	if !ShardSetOf(n, want...).Equal(set) {
		t.Fatal("ShardSetOf its own shards is another set")
	}
}

func TestShardSetsOfDifferentRoomWorkTogether(t *testing.T) {
	var none ShardSet
	small, big := ShardSetOf(10, 1, 9), ShardSetOf(200, 1, 9)
	if !small.Equal(big) || !big.Equal(small) || !small.Covers(big) || !none.Equal(NewShardSet(200)) {
		t.Error("sets with the same shards differ because of their room")
	}
	small.AddAll(big)
	small.Remove(150)
	big.Add(150)
	if small.Equal(big) || small.Covers(big) || !big.Covers(small) || !big.Covers(none) || none.Covers(small) {
		t.Error("a shard beyond the room of the other set is overlooked")
	}
	if got := big.Minus(small).Slice(); !slices.Equal(got, []Shard{150}) {
		t.Errorf("Minus gives %v", got)
	}
	if got := small.And(big).Slice(); !slices.Equal(got, []Shard{1, 9}) {
		t.Errorf("And gives %v", got)
	}
	if a, b := slices.Collect(small.Common(big)), slices.Collect(big.Common(small)); !slices.Equal(a, []Shard{1, 9}) || !slices.Equal(a, b) {
		t.Errorf("Common yields %v and %v", a, b)
	}
	if !none.Empty() || none.Len() != 0 || none.Has(0) || !none.And(big).Empty() {
		t.Error("the zero value is not the empty set")
	}
}

func TestFullShardSetHoldsExactlyItsShards(t *testing.T) {
	for _, n := range []int{0, 1, 63, 64, 65, 128} {
		s := FullShardSet(n)
		if s.Len() != n || s.Has(n) || (n > 0 && !s.Has(n-1)) {
			t.Errorf("FullShardSet(%d) holds %v", n, s.Slice())
		}
	}
}

func TestAllStopsWhenAsked(t *testing.T) {
	seen := 0
	for range FullShardSet(100).All() {
		if seen++; seen == 3 {
			break
		}
	}
	for range FullShardSet(100).Common(FullShardSet(70)) {
		if seen++; seen == 6 {
			break
		}
	}
	if seen != 6 {
		t.Errorf("yielded %d shards", seen)
	}
}

func TestAppendListNamesShardsUpToTheLimit(t *testing.T) {
	for _, c := range []struct {
		name   string
		shards []Shard
		limit  int
		want   string
	}{
		{"no shards", nil, 64, "x="},
		{"no shards and no room", nil, 0, "x="},
		{"one shard", []Shard{7}, 64, "x=7"},
		{"ascending whatever the order of adding", []Shard{11, 3, 7}, 64, "x=3,7,11"},
		{"exactly the limit", []Shard{3, 7, 11}, 3, "x=3,7,11"},
		{"one more than the limit", []Shard{3, 7, 11}, 2, "x=3,7,+1"},
		{"many more than the limit", []Shard{3, 7, 11, 64, 199}, 1, "x=3,+4"},
		{"a limit of none counts them all", []Shard{3, 7}, 0, "x=+2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := string(ShardSetOf(200, c.shards...).AppendList([]byte("x="), c.limit)); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestOrHasRoomForBoth(t *testing.T) {
	small, big := ShardSetOf(3, 1), ShardSetOf(200, 150)
	for _, got := range []ShardSet{small.Or(big), big.Or(small)} {
		if !got.Equal(ShardSetOf(200, 1, 150)) {
			t.Errorf("%v", got.Slice())
		}
	}
	if small.Len() != 1 || big.Len() != 1 {
		t.Error("a set was changed")
	}
}
