package topology

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
)

// coverCase is one question to Covers in plain values.
type coverCase struct {
	shards       int
	members      []NodeIndex
	need         []Shard
	usable, held [][]Shard
}

func (c coverCase) run() []Cover {
	usable, held := make([]ShardSet, len(c.usable)), make([]ShardSet, len(c.held))
	for n := range usable {
		usable[n], held[n] = ShardSetOf(c.shards, c.usable[n]...), ShardSetOf(c.shards, c.held[n]...)
	}
	return Covers(c.members, ShardSetOf(c.shards, c.need...), usable, held)
}

// check compares the answer with the definition, by lists and counting alone.
func (c coverCase) check(t *testing.T) []Cover {
	t.Helper()
	covers := c.run()
	if again := c.run(); !reflect.DeepEqual(covers, again) {
		t.Fatalf("two calls differ:\n%v\n%v", covers, again)
	}
	if len(covers) == 0 || len(covers) > max(maxCovers, len(c.members)) {
		t.Fatalf("%d covers", len(covers))
	}
	var missing []Shard
	for _, s := range c.need {
		if !c.anyServes(c.members, s) {
			missing = append(missing, s)
		}
	}
	seen := map[string]bool{}
	for _, cover := range covers {
		c.checkOne(t, cover, missing)
		nodes := fmt.Sprint(nodesOf(cover))
		if seen[nodes] {
			t.Fatalf("the nodes %s are given twice", nodes)
		}
		seen[nodes] = true
		if len(cover.Legs) != len(covers[0].Legs) {
			t.Fatalf("covers of %d and %d legs", len(cover.Legs), len(covers[0].Legs))
		}
	}
	return covers
}

func (c coverCase) checkOne(t *testing.T, cover Cover, missing []Shard) {
	t.Helper()
	if got := cover.Missing.Slice(); !slices.Equal(got, missing) {
		t.Fatalf("missing %v, want %v", got, missing)
	}
	answered := slices.Clone(missing)
	for i, leg := range cover.Legs {
		shards := leg.Shards.Slice()
		if len(shards) == 0 {
			t.Fatalf("node %d is asked for nothing", leg.Node)
		}
		if !slices.Contains(c.members, leg.Node) || (i > 0 && cover.Legs[i-1].Node >= leg.Node) {
			t.Fatalf("legs to nodes %v of members %v", nodesOf(cover), c.members)
		}
		answered = append(answered, shards...)
		for _, s := range shards {
			if !slices.Contains(c.usable[leg.Node], s) {
				t.Fatalf("node %d is asked for shard %d, which it may not serve", leg.Node, s)
			}
		}
		more := slices.ContainsFunc(c.held[leg.Node], func(s Shard) bool { return !slices.Contains(shards, s) })
		if leg.Filtered != more {
			t.Fatalf("node %d holds %v, is asked for %v: Filtered is %v", leg.Node, c.held[leg.Node], shards, leg.Filtered)
		}
		others := slices.Delete(nodesOf(cover), i, i+1)
		if !slices.ContainsFunc(c.need, func(s Shard) bool {
			return slices.Contains(c.usable[leg.Node], s) && !c.anyServes(others, s)
		}) {
			t.Fatalf("node %d of %v could be left out", leg.Node, nodesOf(cover))
		}
	}
	slices.Sort(answered)
	if !slices.Equal(answered, c.need) {
		t.Fatalf("answers for and misses %v, want %v each once", answered, c.need)
	}
}

func (c coverCase) anyServes(nodes []NodeIndex, s Shard) bool {
	return slices.ContainsFunc(nodes, func(n NodeIndex) bool { return slices.Contains(c.usable[n], s) })
}

// smallest lists all smallest groups of nodes that serve whatever can be
// served: it leaves members out one by one for as long as it can.
func (c coverCase) smallest() (size int, sets map[string]bool) {
	size, sets = len(c.members)+1, map[string]bool{}
	var try func(from int, nodes []NodeIndex)
	try = func(from int, nodes []NodeIndex) {
		for _, s := range c.need {
			if c.anyServes(c.members, s) && !c.anyServes(nodes, s) {
				return
			}
		}
		if len(nodes) < size {
			size = len(nodes)
			clear(sets)
		}
		if len(nodes) == size {
			sets[fmt.Sprint(nodes)] = true
		}
		for i := from; i < len(nodes); i++ {
			try(i, slices.Delete(slices.Clone(nodes), i, i+1))
		}
	}
	try(0, slices.Clone(c.members))
	return size, sets
}

func nodesOf(c Cover) (out []NodeIndex) {
	for _, l := range c.Legs {
		out = append(out, l.Node)
	}
	return out
}

// randomCase draws a group of nodes that hold random shards, may be read for
// some of them, and a need.
func randomCase(rnd *rand.Rand, nodes, shards int) coverCase {
	c := coverCase{shards: shards}
	for s := range shards {
		if rnd.IntN(5) > 0 {
			c.need = append(c.need, s)
		}
	}
	density := 1 + rnd.IntN(9)
	for n := range nodes {
		var held, usable []Shard
		for s := range shards {
			if rnd.IntN(10) < density {
				held = append(held, s)
				if rnd.IntN(6) > 0 {
					usable = append(usable, s)
				}
			}
		}
		c.usable, c.held = append(c.usable, usable), append(c.held, held)
		if rnd.IntN(8) > 0 {
			c.members = append(c.members, n)
		}
	}
	return c
}

func TestCoversOfSmallGroupsAreTheSmallest(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 6))
	for range 3000 {
		c := randomCase(rnd, 1+rnd.IntN(8), 1+rnd.IntN(20))
		covers := c.check(t)
		size, sets := c.smallest()
		if len(covers[0].Legs) != size {
			t.Fatalf("%+v: %d legs, %d are enough", c, len(covers[0].Legs), size)
		}
		if size == 0 {
			continue
		}
		if want := min(len(sets), maxCovers); len(covers) != want {
			t.Fatalf("%+v: %d covers, want %d of %d", c, len(covers), want, len(sets))
		}
		for _, cover := range covers {
			if !sets[fmt.Sprint(nodesOf(cover))] {
				t.Fatalf("%+v: %v is not one of %v", c, nodesOf(cover), sets)
			}
		}
	}
}

func TestCoversOfBigGroupsAreValidAndHaveNoOneToSpare(t *testing.T) {
	rnd := rand.New(rand.NewPCG(7, 8))
	for range 100 {
		randomCase(rnd, exactCoverNodes+1+rnd.IntN(30), 1+rnd.IntN(90)).check(t)
	}
}

func TestCoversOfRealPlacements(t *testing.T) {
	for _, c := range []struct {
		per, rf, shards   int
		wantLegs, wantAll int // 0: not stated
	}{
		{1, 1, 64, 1, 1},
		{3, 1, 64, 3, 1},
		{3, 2, 64, 2, 3},
		{3, 3, 64, 1, 3},
		{12, 12, 128, 1, 12},
		{20, 20, 256, 1, 20},
		{12, 3, 128, 7, 1}, // five nodes are in no smallest cover
		{13, 2, 64, 0, 0},
		{40, 3, 400, 0, 0},
	} {
		t.Run(fmt.Sprintf("%d nodes with %d copies of %d shards", c.per, c.rf, c.shards), func(t *testing.T) {
			snap := fleet(t, 2, c.per, c.rf)
			table := snap.Table(c.shards)
			q := coverCase{shards: c.shards, members: snap.Members(1), need: table.All().Slice()}
			for n := range snap.Nodes() {
				q.usable, q.held = append(q.usable, table.Held(n).Slice()), append(q.held, table.Held(n).Slice())
			}
			covers := q.check(t)
			if got := len(covers[0].Legs); c.wantLegs > 0 && got != c.wantLegs {
				t.Errorf("%d legs, want %d", got, c.wantLegs)
			}
			if c.wantAll > 0 && len(covers) != c.wantAll {
				t.Errorf("%d covers, want %d", len(covers), c.wantAll)
			}
			if c.wantLegs == 1 && covers[0].Legs[0].Filtered {
				t.Error("a node that holds everything is asked with a filter")
			}
		})
	}
}

func TestCoversAtTheEdges(t *testing.T) {
	all := []Shard{0, 1, 2, 3}
	for _, c := range []struct {
		name string
		q    coverCase
		want string // node:shards, ~ for filtered; then what is missing
	}{
		{"nothing needed", coverCase{4, []int{0}, nil, [][]Shard{all}, [][]Shard{all}}, "[] missing []"},
		{"no members", coverCase{4, nil, all, [][]Shard{all}, [][]Shard{all}}, "[] missing [0 1 2 3]"},
		{"nobody usable", coverCase{4, []int{0, 1}, all, [][]Shard{nil, nil}, [][]Shard{all, all}}, "[] missing [0 1 2 3]"},
		{"nodes outside the group are not asked", coverCase{4, []int{1}, all, [][]Shard{all, {0, 1}}, [][]Shard{all, {0, 1}}}, "[1:[0 1]] missing [2 3]"},
		{"one shard of a node that holds more needs the filter", coverCase{4, []int{0}, []Shard{2}, [][]Shard{all}, [][]Shard{all}}, "[0:[2]~] missing []"},
		{"a shard that is behind is filtered out, not read", coverCase{4, []int{0}, all, [][]Shard{{0, 1, 2}}, [][]Shard{all}}, "[0:[0 1 2]~] missing [3]"},
		{"two full copies are two covers of one leg without filter", coverCase{4, []int{0, 1}, all, [][]Shard{all, all}, [][]Shard{all, all}}, "[0:[0 1 2 3]] missing [] | [1:[0 1 2 3]] missing []"},
		{"shards that one node alone can serve go first, and the choice evens out", coverCase{6, []int{0, 1}, []Shard{0, 1, 2, 3, 4, 5},
			[][]Shard{{0, 1, 2, 4, 5}, {0, 1, 2, 3}}, [][]Shard{{0, 1, 2, 4, 5}, {0, 1, 2, 3}}}, "[0:[1 4 5]~ 1:[0 2 3]~] missing []"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := ""
			for i, cover := range c.q.check(t) {
				if i > 0 {
					got += " | "
				}
				var legs []string
				for _, l := range cover.Legs {
					legs = append(legs, fmt.Sprintf("%d:%v%s", l.Node, l.Shards.Slice(), map[bool]string{true: "~"}[l.Filtered]))
				}
				got += fmt.Sprintf("%v missing %v", legs, cover.Missing.Slice())
			}
			if got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestCoversUseTheNodesEvenly(t *testing.T) {
	for _, c := range []struct {
		per, rf, shards int
		least, most     int // covers that a node is part of
	}{
		{4, 2, 64, 3, 3},
		{6, 3, 64, 10, 10},
		{8, 4, 96, 6, 10}, // 16 of more smallest covers are kept
		{12, 12, 128, 1, 1},
		{30, 30, 128, 1, 1},
	} {
		snap := fleet(t, 1, c.per, c.rf)
		table := snap.Table(c.shards)
		usable := make([]ShardSet, c.per)
		for n := range usable {
			usable[n] = table.Held(n)
		}
		asked := make([]int, c.per)
		for _, cover := range Covers(snap.Members(0), table.All(), usable, usable) {
			for _, n := range nodesOf(cover) {
				asked[n]++
			}
			fewest, most := c.shards, 0
			for _, l := range cover.Legs {
				fewest, most = min(fewest, l.Shards.Len()), max(most, l.Shards.Len())
			}
			if most-fewest > 2 {
				t.Errorf("%+v: legs of %d to %d shards", c, fewest, most)
			}
		}
		if slices.Min(asked) != c.least || slices.Max(asked) != c.most {
			t.Errorf("%+v: nodes are part of %v covers", c, asked)
		}
	}
}

// FuzzCovers reads the bytes as a group: how many nodes and shards, then what
// each may serve and holds beyond.
func FuzzCovers(f *testing.F) {
	f.Add([]byte{3, 8, 0xff, 0x0f, 0, 0xf0, 0, 0x3c, 0})
	f.Add([]byte{14, 3, 7, 1, 0, 2, 0, 4, 0})
	f.Add([]byte{5, 70, 0x55, 0xaa, 0x11})
	f.Fuzz(func(t *testing.T, b []byte) {
		next := func() byte {
			if len(b) == 0 {
				return 0
			}
			x := b[0]
			b = b[1:]
			return x
		}
		nodes, shards := int(next()%16), 1+int(next()%80)
		pick := func() (out []Shard) {
			bits := byte(0)
			for s := range shards {
				if s%8 == 0 {
					bits = next()
				}
				if bits>>(s%8)&1 == 1 {
					out = append(out, s)
				}
			}
			return out
		}
		c := coverCase{shards: shards, need: pick()}
		for n := range nodes {
			usable, extra := pick(), pick()
			held := append(slices.Clone(usable), extra...)
			slices.Sort(held)
			c.usable, c.held = append(c.usable, usable), append(c.held, slices.Compact(held))
			if next()%4 > 0 {
				c.members = append(c.members, n)
			}
		}
		covers := c.check(t)
		if len(c.members) > 7 {
			return // the oracle takes too long
		}
		if size, _ := c.smallest(); len(covers[0].Legs) != size {
			t.Fatalf("%d legs, %d are enough", len(covers[0].Legs), size)
		}
	})
}
