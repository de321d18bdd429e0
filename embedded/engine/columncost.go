package engine

import "github.com/RoaringBitmap/roaring/v2"

// fromLists fills in what a step costs each document from lists of documents and
// columns of places, and tells whether it could: phrases have to be looked for in the
// documents, and so are few documents visited rather than lists made for them.
func (r *graphRule) fromLists(st step, out []uint8, universe *roaring.Bitmap) bool {
	if r.m.c.columns.off || len(r.docs) < columnDocs || r.m.hasPhrases(st.right) {
		return false
	}
	n := r.m.g.nodes[st.right.node]
	switch r.kind {
	case RuleProximity:
		base := n.slots() - 1
		if st.first || r.m.g.nodes[st.left.node].posEnd+1 != n.pos {
			r.set(out, r.m.openDocs(st.right), universe, uint8(base))
			return true
		}
		return r.nearInColumns(st, out, uint8(base), universe)
	case RuleAttributeRank:
		for w := r.m.c.cfg.maxWeight(); w >= 0; w-- {
			r.set(out, r.m.ofWeight(st.right, w), universe, uint8(w*n.slots()))
		}
		return true
	default:
		return r.positionInColumn(st.right, out)
	}
}

// nearInColumns finds how near two neighbours stand.
func (r *graphRule) nearInColumns(st step, out []uint8, base uint8, universe *roaring.Bitmap) bool {
	if r.m.c.cfg.ProximityByAttribute || r.m.hasPhrases(st.left) {
		return false
	}
	left, right := r.m.column(st.left, false, len(r.docs)), r.m.column(st.right, false, len(r.docs))
	if left == nil || right == nil {
		return false
	}
	back := right
	if r.m.g.nodes[st.right.node].cached {
		// Words that only begin like it do not count backwards.
		if back = r.m.column(st.right, true, len(r.docs)); back == nil {
			return false
		}
	}
	r.set(out, r.m.openDocs(st.right), universe, base+maxNear-1)
	a, b, c := cursor{c: left}, cursor{c: right}, cursor{c: back}
	for i, doc := range r.docs {
		if out[i] == unmatched {
			continue
		}
		places := a.places(doc)
		if places == nil {
			continue
		}
		best := ahead(places, b.places(doc), maxNear) - 1
		if best > 1 {
			best = min(best, ahead(c.places(doc), places, maxNear-1))
		}
		out[i] = base + uint8(best)
	}
	return true
}

// positionInColumn finds how far a node is from where it stands in the query.
func (r *graphRule) positionInColumn(s subset, out []uint8) bool {
	col := r.m.column(s, false, len(r.docs))
	if col == nil {
		return false
	}
	n := r.m.g.nodes[s.node]
	cur := cursor{c: col}
	for i, doc := range r.docs {
		for _, p := range cur.places(doc) {
			out[i] = min(out[i], uint8(n.positionCost(int(p&0xffff))))
		}
	}
	return true
}

// column are the places of the words a node may still match; typed leaves out those
// that only begin like it. Nil when it is not worth having.
func (m *matcher) column(s subset, typed bool, looked int) *column {
	n := m.g.nodes[s.node]
	if s.exact {
		return m.c.termColumn(n.exact, looked)
	}
	key := columnKey{text: n.text, prefix: n.prefix, typos: n.maxTypos, levels: s.levels, typed: typed}
	var terms []uint32
	m.eachTerm(s, func(t uint32) {
		if !typed || n.hasExact && t == n.exact || s.levels&1 == 0 || !n.ofPrefix(t) {
			terms = append(terms, t)
		}
	})
	if len(terms) == 1 {
		return m.c.termColumn(terms[0], looked)
	}
	return m.c.column(key, looked, func() *roaring.Bitmap { return m.c.termsDocs(terms) }, func() []uint32 { return terms })
}

// termsDocs are the documents with one of some words anywhere.
func (c *core) termsDocs(terms []uint32) *roaring.Bitmap {
	acc := newDense(len(c.docs))
	for _, t := range terms {
		for _, a := range c.post[t].attrs {
			acc.or(a.docs)
		}
	}
	return acc.bitmap()
}
