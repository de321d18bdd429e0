package topology

import (
	"cmp"
	"math/bits"
	"slices"
)

// Leg is one node's part of a read: the shards it answers for.
type Leg struct {
	Node   NodeIndex
	Shards ShardSet
	// Filtered says that the node holds shards of the index beyond Shards, so
	// the request must carry the shard filter or copies would be counted twice.
	Filtered bool
}

// Cover is a set of legs that answers for shards exactly once each, and what is
// left over because no usable node holds it. Legs are in node order and none is
// empty.
type Cover struct {
	Legs    []Leg
	Missing ShardSet
}

const (
	exactCoverNodes = 12 // beyond this many candidates the search is greedy
	maxCovers       = 16 // equally small covers kept for balancing
)

// Covers lists the smallest covers of need among the members of a group, in a
// fixed order: never none, every single node that can serve all of it alone,
// otherwise at most 16 that use the nodes evenly. usable[n] is what node n may
// be read for and held[n] what it holds on disk, both by node index. Where not
// everything can be covered, every cover returned leaves the same shards missing.
//
// Covers are as small as possible while at most 12 members have something to
// give; beyond that they have no member to spare but a smaller one may exist.
// The search takes microseconds in a group of three nodes and milliseconds in
// one of a hundred: keep the result for as long as usable and held stand.
func Covers(members []NodeIndex, need ShardSet, usable, held []ShardSet) []Cover {
	reach := NewShardSet(len(need.words) * 64)
	var cands []NodeIndex
	for _, n := range members {
		part := usable[n].And(need)
		if part.Empty() {
			continue
		}
		reach.AddAll(part)
		cands = append(cands, n)
	}
	missing := need.Minus(reach)
	if len(cands) == 0 {
		return []Cover{{Missing: missing}}
	}
	sets := coveringSets(cands, reach, usable)
	out := make([]Cover, len(sets))
	for i, set := range sets {
		out[i] = Cover{Legs: assign(set, reach, usable, held), Missing: missing}
	}
	return out
}

func coveringSets(cands []NodeIndex, reach ShardSet, usable []ShardSet) [][]NodeIndex {
	var alone [][]NodeIndex
	for _, n := range cands {
		if usable[n].Covers(reach) {
			alone = append(alone, []NodeIndex{n})
		}
	}
	switch {
	case alone != nil:
		return alone
	case len(cands) <= exactCoverNodes:
		return thin(smallestSets(cands, reach, usable))
	}
	return greedySets(cands, reach, usable)
}

// smallestSets tries all subsets of cands by size and keeps those of the first
// size that reaches everything. A subset reaches everything when it meets the
// servers of every shard, and shards with the same servers need one look.
func smallestSets(cands []NodeIndex, reach ShardSet, usable []ShardSet) [][]NodeIndex {
	var servers []uint
	for s := range reach.All() {
		var by uint
		for i, n := range cands {
			if usable[n].Has(s) {
				by |= 1 << i
			}
		}
		servers = append(servers, by)
	}
	slices.SortFunc(servers, func(a, b uint) int { // the hardest to meet first
		return cmp.Or(cmp.Compare(bits.OnesCount(a), bits.OnesCount(b)), cmp.Compare(a, b))
	})
	servers = slices.Compact(servers)

	var found [][]NodeIndex
	for size := 1; size <= len(cands) && found == nil; size++ {
		for mask := uint(1); mask < 1<<len(cands); mask++ {
			if bits.OnesCount(mask) != size || !meetsAll(mask, servers) {
				continue
			}
			set := make([]NodeIndex, 0, size)
			for i, n := range cands {
				if mask&(1<<i) != 0 {
					set = append(set, n)
				}
			}
			found = append(found, set)
		}
	}
	return found
}

func meetsAll(mask uint, servers []uint) bool {
	for _, by := range servers {
		if mask&by == 0 {
			return false
		}
	}
	return true
}

// thin keeps maxCovers of the sets: each time the one whose members were taken
// least so far. Keeping the first ones instead would spare the last nodes.
func thin(sets [][]NodeIndex) [][]NodeIndex {
	if len(sets) <= maxCovers {
		return sets
	}
	taken := map[NodeIndex]int{}
	var kept [][]NodeIndex
	for len(kept) < maxCovers {
		best, least := 0, -1
		for i, set := range sets {
			uses := 0
			for _, n := range set {
				uses += taken[n]*taken[n] + taken[n] // squares: a node taken often weighs more
			}
			if least < 0 || uses < least {
				best, least = i, uses
			}
		}
		for _, n := range sets[best] {
			taken[n]++
		}
		kept = append(kept, sets[best])
		sets = slices.Delete(sets, best, best+1)
	}
	return kept
}

// greedySets starts a greedy search from maxCovers different candidates and
// keeps the smallest results.
func greedySets(cands []NodeIndex, reach ShardSet, usable []ShardSet) [][]NodeIndex {
	var found [][]NodeIndex
	for i := range maxCovers {
		set := greedySet(cands[i*len(cands)/maxCovers], cands, reach, usable)
		switch {
		case len(found) > 0 && len(set) > len(found[0]):
			continue
		case len(found) > 0 && len(set) < len(found[0]):
			found = found[:0]
		case slices.ContainsFunc(found, func(f []NodeIndex) bool { return slices.Equal(f, set) }):
			continue
		}
		found = append(found, set)
	}
	return found
}

// greedySet takes first, then the node that adds most until all is reached; whom
// later ones have made superfluous is left out.
func greedySet(first NodeIndex, cands []NodeIndex, reach ShardSet, usable []ShardSet) []NodeIndex {
	set := []NodeIndex{first}
	left := reach.Minus(usable[first])
	for !left.Empty() {
		best, gain := -1, 0
		for _, n := range cands {
			if g := left.countAnd(usable[n]); g > gain {
				best, gain = n, g
			}
		}
		if best < 0 { // reach is the union of the candidates, so this cannot be
			break
		}
		set = append(set, best)
		left = left.Minus(usable[best])
	}
	slices.Sort(set)
	return withoutSuperfluous(set, reach, usable)
}

// withoutSuperfluous leaves out members all of whose shards others serve.
func withoutSuperfluous(set []NodeIndex, reach ShardSet, usable []ShardSet) []NodeIndex {
	servers := make([]int, len(reach.words)*64)
	for _, n := range set {
		for s := range usable[n].And(reach).All() {
			servers[s]++
		}
	}
	return slices.DeleteFunc(set, func(n NodeIndex) bool {
		mine := usable[n].And(reach)
		for s := range mine.All() {
			if servers[s] == 1 {
				return false
			}
		}
		for s := range mine.All() {
			servers[s]--
		}
		return true
	})
}

// assign gives each shard to one node of the set: the one with the fewest so
// far among those that may serve it. Shards with the fewest servers go first,
// so that those with a choice can make up for those without.
func assign(set []NodeIndex, reach ShardSet, usable, held []ShardSet) []Leg {
	legs := make([]Leg, len(set))
	for i, n := range set {
		legs[i] = Leg{Node: n, Shards: NewShardSet(len(reach.words) * 64)}
	}
	if len(set) == 1 {
		legs[0].Shards.AddAll(reach)
	} else {
		byServers := make([][]Shard, len(set)+1)
		for s := range reach.All() {
			k := 0
			for _, n := range set {
				if usable[n].Has(s) {
					k++
				}
			}
			byServers[k] = append(byServers[k], s)
		}
		load := make([]int, len(set))
		for _, s := range slices.Concat(byServers...) {
			best := -1
			for i, n := range set {
				if usable[n].Has(s) && (best < 0 || load[i] < load[best]) {
					best = i
				}
			}
			legs[best].Shards.Add(s)
			load[best]++
		}
	}
	for i := range legs {
		legs[i].Filtered = !legs[i].Shards.Covers(held[legs[i].Node])
	}
	return legs
}
