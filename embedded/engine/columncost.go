package engine

import (
	"slices"

	"github.com/RoaringBitmap/roaring/v2"
)

// fromLists fills in what a step costs each document from lists of documents or a
// column of places, and tells whether it could.
func (r *graphRule) fromLists(st step, out []uint16, universe *roaring.Bitmap) bool {
	if r.kind == RuleWordPosition {
		return !r.m.hasPhrases(st.right) && r.positionInColumn(st.right, out)
	}
	sets := r.listed(st, len(r.docs))
	for _, set := range slices.Backward(sets) {
		r.set(out, set.docs, universe, uint16(min(set.cost, dearest)))
	}
	return sets != nil
}

// positionInColumn finds how far a node is from where it stands in the query.
func (r *graphRule) positionInColumn(s subset, out []uint16) bool {
	col := r.m.column(s, len(r.docs))
	if col == nil {
		return false
	}
	n := r.m.g.nodes[s.node]
	cur := cursor{c: col}
	for i, doc := range r.docs {
		for _, p := range cur.places(doc) {
			out[i] = min(out[i], uint16(n.positionCost(int(p&0xffff))))
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
