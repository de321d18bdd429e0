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
	near := r.m.distances(st, len(r.docs))
	if near == nil {
		return false
	}
	docs := r.m.openDocs(st.right)
	r.set(out, docs, universe, base+maxNear-1)
	docs.And(universe)
	for d := len(near) - 1; d >= 0; d-- {
		r.set(out, near[d], docs, base+uint8(d))
	}
	return true
}

// positionInColumn finds how far a node is from where it stands in the query.
func (r *graphRule) positionInColumn(s subset, out []uint8) bool {
	col := r.m.column(s, len(r.docs))
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

// wordsOf names the words a node may still match; typed leaves out those that only
// begin like it.
func (m *matcher) wordsOf(s subset, typed bool) (columnKey, []uint32) {
	n := m.g.nodes[s.node]
	var terms []uint32
	m.eachTerm(s, func(t uint32) {
		if !typed || n.hasExact && t == n.exact || s.levels&1 == 0 || !n.ofPrefix(t) {
			terms = append(terms, t)
		}
	})
	if len(terms) == 1 {
		return columnKey{term: terms[0]}, terms
	}
	return columnKey{text: n.text, prefix: n.prefix, typos: n.maxTypos, levels: s.levels, typed: typed, exact: s.exact}, terms
}

// column are the places of the words a node may still match, nil when it is not worth
// having them.
func (m *matcher) column(s subset, looked int) *column {
	key, terms := m.wordsOf(s, false)
	return m.c.column(key, terms, looked)
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
