package engine

import "github.com/RoaringBitmap/roaring/v2"

// oneStep finds the buckets of a reading of a single node without looking into
// documents, as far as that is possible; all says whether these are all.
func (r *graphRule) oneStep(s subset) (sets []costSet, all bool) {
	n := r.m.g.nodes[s.node]
	switch r.kind {
	case RuleTypo:
		for level := range 3 {
			if s.levels>>level&1 != 0 || level == 0 {
				cost := level + n.typoBase()
				sets = append(sets, costSet{cost, func() *roaring.Bitmap { return r.m.subsetDocs(s, level) }, chosen{costs: uint64(cost)}})
			}
		}
		return sets, true
	case RuleExactness:
		if docs := r.m.exactDocs(s); docs != nil {
			sets = append(sets, costSet{0, func() *roaring.Bitmap { return docs }, chosen{}})
		}
		return append(sets, costSet{n.slots(), nil, chosen{costs: uint64(n.slots())}}), true
	case RuleProximity:
		return []costSet{{cost: n.slots() - 1}}, true
	case RuleAttributeRank:
		if r.most == 0 {
			return []costSet{{}}, true
		}
		if r.m.hasPhrases(s) {
			return nil, false
		}
		for w := range r.m.c.cfg.maxWeight() + 1 {
			sets = append(sets, costSet{w * n.slots(), func() *roaring.Bitmap { return r.m.ofWeight(s, w) }, chosen{}})
		}
		return sets, true
	default:
		if n.pos == 0 && n.slots() == 1 && !r.m.hasPhrases(s) {
			sets = append(sets, costSet{0, func() *roaring.Bitmap { return r.m.atStart(s) }, chosen{}})
		}
		return sets, false
	}
}

// hasPhrases tells whether a node may match phrases, which have to be looked for in
// the documents.
func (m *matcher) hasPhrases(s subset) bool {
	n := m.g.nodes[s.node]
	return len(n.levels[0].phrases) > 0 || s.levels&2 != 0 && len(n.levels[1].phrases) > 0
}

// eachTerm calls f for the words a node may still match.
func (m *matcher) eachTerm(s subset, f func(term uint32)) {
	n := m.g.nodes[s.node]
	if s.exact {
		if n.hasExact {
			f(n.exact)
		}
		return
	}
	for level := range n.levels {
		if s.levels>>level&1 != 0 {
			for _, t := range n.levels[level].terms {
				f(t)
			}
		}
	}
}

// ofWeight are the documents with a word of a node in an attribute of a rank.
func (m *matcher) ofWeight(s subset, weight int) *roaring.Bitmap {
	acc := newDense(len(m.c.docs))
	m.eachTerm(s, func(t uint32) {
		for _, a := range m.c.post[t].attrs {
			if m.attrs.has(a.attr) && m.c.fields.attrs[a.attr].weight == weight {
				acc.or(a.docs)
			}
		}
	})
	return acc.bitmap()
}

// atStart are the documents an attribute of which begins with a word of a node.
func (m *matcher) atStart(s subset) *roaring.Bitmap {
	acc := newDense(len(m.c.docs))
	m.eachTerm(s, func(t uint32) {
		if first := m.c.post[t].first; first != nil {
			acc.or(first)
		}
	})
	return acc.bitmap()
}
