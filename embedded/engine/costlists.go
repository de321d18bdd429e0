package engine

import (
	"slices"

	"github.com/RoaringBitmap/roaring/v2"
)

// stepSet are the documents in which a step of a reading has a cost.
type stepSet struct {
	cost int
	docs *roaring.Bitmap
}

// maxCombinations is up to how many ways to add up the costs of steps are tried. With
// more of them, as in long queries, the cost of each document is added up.
const maxCombinations = 1024

// costLists finds the buckets of a rule from lists of documents, cheapest first. What
// comes behind the last bucket that is asked for is never looked at.
type costLists struct {
	r      *graphRule
	routes [][][]stepSet // by reading, step and cost
	cost   int
	most   int

	left  *roaring.Bitmap // documents not found yet
	docs  *roaring.Bitmap // of the bucket
	found map[chosen]bool
}

// listed are the documents of every cost of a step, cheapest first, those of a cheaper
// one perhaps among the dearer. It is nil when the documents have to be visited: for
// phrases, and when they are too few for columns.
func (r *graphRule) listed(st step, looked int) []stepSet {
	s, n := st.right, r.m.g.nodes[st.right.node]
	var out []stepSet
	switch r.kind {
	case RuleTypo, RuleExactness:
		if r.kind == RuleExactness {
			if docs := r.m.exactDocs(s); docs != nil {
				out = append(out, stepSet{0, docs})
			}
		}
		for level := range 3 {
			if level > 0 && s.levels>>level&1 == 0 {
				continue
			}
			cost := n.slots()
			if r.kind == RuleTypo {
				cost = level + n.typoBase()
			}
			out = append(out, stepSet{cost, r.m.subsetDocs(s, level)})
		}
		return out
	}
	if looked < r.m.c.columns.least || r.m.hasPhrases(s) {
		return nil
	}
	switch r.kind {
	case RuleProximity:
		return r.listedNear(st, looked)
	case RuleAttributeRank:
		for w := range r.m.c.cfg.maxWeight() + 1 {
			out = append(out, stepSet{w * n.slots(), r.m.ofWeight(s, w)})
		}
	}
	return out
}

// listedNear lists documents by how near two neighbours stand.
func (r *graphRule) listedNear(st step, looked int) []stepSet {
	n := r.m.g.nodes[st.right.node]
	base := n.slots() - 1
	docs := r.m.openDocs(st.right)
	if st.first || r.m.g.nodes[st.left.node].posEnd+1 != n.pos {
		return []stepSet{{base, docs}}
	}
	if r.m.c.cfg.ProximityByAttribute || r.m.hasPhrases(st.left) {
		return nil
	}
	near := r.m.distances(st, looked)
	if near == nil {
		return nil
	}
	var out []stepSet
	for d, l := range near {
		out = append(out, stepSet{base + d, roaring.And(l, docs)})
	}
	return append(out, stepSet{base + maxNear - 1, docs})
}

// prepare lists the buckets of a large set of documents, nil when that is impossible
// or too much.
func (r *graphRule) prepare(universe *roaring.Bitmap) *costLists {
	looked := int(universe.GetCardinality())
	if looked < r.m.c.columns.least || r.kind == RuleWordPosition {
		return nil
	}
	l := &costLists{r: r}
	known := map[step][]stepSet{}
	combinations := 0
	for _, p := range r.routes.list {
		var steps [][]stepSet
		ways, most := 1, 0
		for i := range p {
			st := r.stepOf(p, i)
			sets, ok := known[st]
			if !ok {
				if sets = apart(r.listed(st, looked), universe); sets == nil {
					return nil
				}
				known[st] = sets
			}
			if ways *= len(sets); ways > maxCombinations {
				return nil
			}
			most += sets[len(sets)-1].cost
			steps = append(steps, sets)
		}
		if combinations += ways; combinations > maxCombinations {
			return nil
		}
		l.routes, l.most = append(l.routes, steps), max(l.most, most)
	}
	return l
}

// apart takes documents that have a cheaper cost out of the dearer ones, and leaves
// only those of universe. Sets may stay empty.
func apart(sets []stepSet, universe *roaring.Bitmap) []stepSet {
	out := slices.Clone(sets)
	for i := range out {
		out[i].docs = roaring.And(out[i].docs, universe)
		for _, cheaper := range out[:i] {
			out[i].docs.AndNot(cheaper.docs)
		}
	}
	return out
}

// next is the cheapest bucket left of those documents that are still in universe.
func (l *costLists) next(universe *roaring.Bitmap) (bucket, bool) {
	for ; l.cost <= l.most; l.cost++ {
		l.left, l.docs, l.found = universe.Clone(), roaring.New(), map[chosen]bool{}
		for n := range l.routes {
			l.walk(chosen{route: n}, 0, l.cost, l.left)
		}
		if !l.docs.IsEmpty() {
			b := bucket{l.docs, l.r.narrowed(l.found), l.r.score(l.cost)}
			l.cost++
			return b, true
		}
	}
	return bucket{}, false
}

// walk follows one reading; the costs of its steps have to add up to cost.
func (l *costLists) walk(by chosen, i, cost int, docs *roaring.Bitmap) {
	steps := l.routes[by.route]
	if i == len(steps) {
		if cost == 0 {
			l.docs.Or(docs)
			l.found[by] = true
			l.left.AndNot(docs)
		}
		return
	}
	for _, set := range steps[i] {
		if set.cost > cost {
			return // the sets are in order
		}
		if i == len(steps)-1 && set.cost != cost {
			continue
		}
		both := roaring.And(docs, set.docs)
		both.And(l.left)
		if both.IsEmpty() {
			continue
		}
		next := by
		if l.r.kind == RuleTypo || l.r.kind == RuleExactness {
			next.add(uint8(set.cost))
		}
		l.walk(next, i+1, cost-set.cost, both)
	}
}
