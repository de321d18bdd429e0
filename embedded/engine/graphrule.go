package engine

import (
	"cmp"
	"maps"
	"math"
	"slices"

	"github.com/RoaringBitmap/roaring/v2"
)

// bucket are documents that a rule does not tell apart.
type bucket struct {
	docs   *roaring.Bitmap
	routes *routes
	score  RuleScore
}

// sorter is one ranking rule at work. It is started on the documents and readings
// of one bucket of the rule before and parts them further, best first. A document
// it has no bucket for is not found at all.
type sorter interface {
	start(universe *roaring.Bitmap, r *routes)
	// next gives the next bucket of those documents that are still in universe.
	next(universe *roaring.Bitmap) (bucket, bool)
}

// noCost marks documents that a step or a reading does not match.
const noCost = 1 << 30

// step is one place of a reading, with the node before it.
type step struct {
	left, right subset
	first       bool // nothing stands before it
}

// graphRule is a rule that gives every step of a reading a cost: typos, distances,
// attributes, positions. The cost of a document is that of its cheapest reading.
type graphRule struct {
	kind RuleKind
	m    *matcher
	part partOf

	routes *routes
	most   int
	// sets are buckets that need no look into documents, cheapest first.
	sets []costSet
	// What is left is measured, when it comes to that: by lists of documents, or
	// document by document.
	measured bool
	lists    *costLists
	docs     []uint32
	groups   []costGroup // cheapest first
}

// costSet are the documents of one cost, and perhaps cheaper ones.
type costSet struct {
	cost int
	docs func() *roaring.Bitmap
	by   chosen
}

// partOf tells rules that are shown as one with the next or the one before.
type partOf uint8

const (
	whole partOf = iota
	partOfAttribute
	partOfExactness
)

// costGroup are documents of one cost, each with the reading it counts for.
type costGroup struct {
	cost int
	docs []uint32
	by   []uint16 // places in ways
	ways []chosen
	last int // the way of the last document
}

// chosen is a reading with the costs of its steps, half a byte each.
type chosen struct {
	route int
	costs uint64
}

func (c *chosen) add(cost uint8) { c.costs = c.costs<<4 | uint64(cost) }

// of is the cost of step i out of n.
func (c chosen) of(i, n int) int { return int(c.costs >> (4 * (n - 1 - i)) & 15) }

func (r *graphRule) start(_ *roaring.Bitmap, in *routes) {
	r.routes, r.measured, r.groups, r.lists = in, false, nil, nil
	r.most = r.mostOf(in)
	r.sets = nil
	if len(in.list) == 1 && len(in.list[0]) == 1 {
		r.sets, r.measured = r.oneStep(in.list[0][0])
	} else if len(in.list) == 1 && r.most == 0 {
		r.sets, r.measured = []costSet{{}}, true
	}
}

// mostOf is the denominator of the rule's score less one: the most that readings of
// the bucket can cost. A server looks at those that its documents matched, which is
// where scores of shards go apart; Settings.Even takes all readings of the words instead.
func (r *graphRule) mostOf(in *routes) int {
	list := in.possible
	if list == nil {
		list = in.list
	}
	if r.m.c.cfg.Even && len(list) > 0 {
		var kept []int
		for _, s := range list[0] {
			for slot := r.m.g.nodes[s.node].slot; slot < r.m.g.nodes[s.node].slotEnd; slot++ {
				kept = append(kept, slot)
			}
		}
		list = r.m.g.over(kept)
	}
	most := 0
	for _, p := range list {
		sum := 0
		for i := range p {
			sum += r.highest(stepOf(p, i))
		}
		most = max(most, sum)
	}
	return most
}

func stepOf(p route, i int) step {
	if i == 0 {
		return step{right: p[0], first: true}
	}
	return step{left: p[i-1], right: p[i]}
}

// measure finds the cost of every document and the reading it counts for.
func (r *graphRule) measure(universe *roaring.Bitmap) {
	r.measured, r.docs = true, universe.ToArray()
	steps := map[step][]uint16{}
	for _, p := range r.routes.list {
		for i := range p {
			steps[r.stepOf(p, i)] = nil
		}
	}
	r.costs(steps, universe)
	by := make([][][]uint16, len(r.routes.list)) // by reading and step
	for n, p := range r.routes.list {
		for i := range p {
			by[n] = append(by[n], steps[r.stepOf(p, i)])
		}
	}
	groups := map[int]*costGroup{}
	var g *costGroup
	for i, doc := range r.docs {
		best, at := cheapest(by, i)
		if at < 0 {
			continue
		}
		if g == nil || g.cost != best {
			if g = groups[best]; g == nil {
				g = &costGroup{cost: best}
				groups[best] = g
			}
		}
		c := chosen{route: at}
		if r.kind == RuleTypo || r.kind == RuleExactness {
			for _, costs := range by[at] {
				c.add(uint8(costs[i]))
			}
		}
		g.add(doc, c)
	}
	for _, cost := range slices.Sorted(maps.Keys(groups)) {
		r.groups = append(r.groups, *groups[cost])
	}
}

// add puts a document into the group.
func (g *costGroup) add(doc uint32, by chosen) {
	if len(g.ways) == 0 || g.ways[g.last] != by {
		if g.last = slices.Index(g.ways, by); g.last < 0 {
			g.last = len(g.ways)
			g.ways = append(g.ways, by)
		}
	}
	g.docs, g.by = append(g.docs, doc), append(g.by, uint16(g.last))
}

// cheapest is the least cost of the i-th document and the first reading that has
// it, -1 for none.
func cheapest(by [][][]uint16, i int) (best, at int) {
	best, at = noCost, -1
	for n, steps := range by {
		sum := 0
		for _, costs := range steps {
			if costs[i] == unmatched {
				sum = noCost
				break
			}
			sum += int(costs[i])
		}
		if sum < best {
			best, at = sum, n
		}
	}
	return best, at
}

// stepOf is a step as far as the rule tells steps apart.
func (r *graphRule) stepOf(p route, i int) step {
	if r.kind != RuleProximity {
		return step{right: p[i], first: true}
	}
	return stepOf(p, i)
}

// unmatched marks documents that a step does not match. What costs as much or more
// costs dearest, the most that a step is told to cost.
const (
	unmatched = math.MaxUint16
	dearest   = unmatched - 1
)

// costs fills in, for every step, what it costs each document.
func (r *graphRule) costs(steps map[step][]uint16, universe *roaring.Bitmap) {
	for s := range steps {
		out := make([]uint16, len(r.docs))
		for i := range out {
			out[i] = unmatched
		}
		steps[s] = out
	}
	var visit []step
	for s, out := range steps {
		if !r.fromLists(s, out, universe) {
			visit = append(visit, s)
		}
	}
	if len(visit) > 0 {
		r.scan(steps, visit)
	}
}

// set gives a cost to the documents of a set.
func (r *graphRule) set(out []uint16, docs, universe *roaring.Bitmap, cost uint16) {
	i := 0
	roaring.And(docs, universe).Iterate(func(doc uint32) bool {
		for r.docs[i] < doc {
			i++
		}
		out[i] = cost
		return true
	})
}

// scan looks into every document for what some of the steps cost there.
func (r *graphRule) scan(steps map[step][]uint16, list []step) {
	workers := 1
	if len(r.docs) > 512 {
		workers = maxWorkers()
	}
	inParts(len(r.docs), workers, func(_, from, to int) {
		s := newScorer(r.m)
		for i := from; i < to; i++ {
			if i&7 == 0 && r.m.stopped() {
				return
			}
			s.load(r.m.c.docs[r.docs[i]])
			for _, st := range list {
				if cost := r.inDocument(s, st); cost < unmatched {
					steps[st][i] = uint16(cost)
				}
			}
		}
	})
}

// inDocument is the cost of a step in the document the scorer has loaded.
func (r *graphRule) inDocument(s *scorer, st step) int {
	n := r.m.g.nodes[st.right.node]
	switch r.kind {
	case RuleProximity:
		if !s.matches(st.right) {
			return unmatched
		}
		cost := n.slots() - 1
		if !st.first && r.m.g.nodes[st.left.node].posEnd+1 == n.pos {
			cost += s.near(st.left, st.right)
		}
		return cost
	case RuleAttributeRank:
		return s.attributeRank(st.right)
	default:
		return s.wordPosition(st.right)
	}
}

// highest is the most a step can cost.
func (r *graphRule) highest(st step) int {
	n := r.m.g.nodes[st.right.node]
	switch r.kind {
	case RuleTypo:
		return n.typoBase() + st.right.mostTypos(n)
	case RuleProximity:
		cost := n.slots() - 1
		if !st.first && r.m.g.nodes[st.left.node].posEnd+1 == n.pos {
			cost += maxNear - 1
		}
		return cost
	case RuleAttributeRank:
		return r.m.c.cfg.maxWeight() * n.slots()
	case RuleWordPosition:
		return 10 * n.slots()
	default:
		return n.slots()
	}
}

// typoBase counts joined words as typos.
func (n *node) typoBase() int {
	if n.words == nil {
		return 0
	}
	return len(n.words)
}

// mostTypos is the most typos a node can report that may still match some.
func (s subset) mostTypos(n *node) int {
	switch {
	case n.quoted != nil:
		return 0
	case n.maxTypos == 0:
		return 1 // a word can always be split in two
	case n.maxTypos >= 2 && s.levels&4 != 0:
		return 2
	case s.levels&2 != 0:
		return 1
	}
	return 0
}

func (r *graphRule) next(universe *roaring.Bitmap) (bucket, bool) {
	for len(r.sets) > 0 {
		set := r.sets[0]
		r.sets = r.sets[1:]
		docs := universe.Clone()
		if set.docs != nil {
			docs.And(set.docs())
		}
		if !docs.IsEmpty() {
			return bucket{docs, r.narrowed(map[chosen]bool{set.by: true}), r.score(set.cost)}, true
		}
	}
	if !r.measured {
		if r.lists = r.prepare(universe); r.lists != nil {
			r.measured = true
		} else {
			r.measure(universe)
		}
	}
	if r.lists != nil {
		return r.lists.next(universe)
	}
	for len(r.groups) > 0 {
		g := &r.groups[0]
		r.groups = r.groups[1:]
		docs := make([]uint32, 0, len(g.docs))
		used := make([]bool, len(g.ways))
		whole := uint64(len(r.docs)) == universe.GetCardinality() // nothing was taken out so far
		for i, doc := range g.docs {
			if whole || universe.Contains(doc) {
				docs = append(docs, doc)
				used[g.by[i]] = true
			}
		}
		if len(docs) > 0 {
			by := map[chosen]bool{}
			for i, u := range used {
				if u {
					by[g.ways[i]] = true
				}
			}
			return bucket{roaring.BitmapOf(docs...), r.narrowed(by), r.score(g.cost)}, true
		}
	}
	return bucket{}, false
}

// narrowed are the readings that documents of a bucket count for, with what their
// nodes matched there.
func (r *graphRule) narrowed(by map[chosen]bool) *routes {
	list := slices.SortedFunc(maps.Keys(by), func(a, b chosen) int {
		return cmp.Or(a.route-b.route, cmp.Compare(a.costs, b.costs))
	})
	found := make([]route, len(list))
	for i, c := range list {
		found[i] = slices.Clone(r.routes.list[c.route])
		for j := range found[i] {
			s := &found[i][j]
			switch {
			case r.kind == RuleTypo:
				s.levels &= 1 << (c.of(j, len(found[i])) - r.m.g.nodes[s.node].typoBase())
			case r.kind == RuleExactness && c.of(j, len(found[i])) == 0:
				// From its list for a prefix a server does not take the word alone.
				s.levels, s.exact = 1, !r.m.g.nodes[s.node].cached
			}
		}
	}
	return orderedRoutes(found)
}

func (r *graphRule) score(cost int) RuleScore {
	s := RuleScore{Kind: r.kind, part: r.part}
	s.rank(r.most+1, uint64(cost))
	switch r.kind {
	case RuleTypo:
		s.Key, s.Typos, s.MaxTypos = "typo", cost, r.most
	case RuleProximity:
		s.Key = "proximity"
	case RuleAttributeRank:
		s.Key = "attributeRank"
	case RuleWordPosition:
		s.Key = "wordPosition"
	case RuleExactness:
		s.Matching, s.MaxMatching = r.most-cost, r.most
	}
	return s
}
