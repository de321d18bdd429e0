package engine

import (
	"slices"

	"github.com/RoaringBitmap/roaring/v2"
)

// attributeProximity is the proximity rule of indexes that know of two words only
// whether they are in one attribute (proximityPrecision byAttribute). A server looks
// a pair up within the bucket that asks first and keeps the answer for the whole
// search, so that later buckets find nothing near for pairs that were asked before.
// The order in which pairs are asked therefore matters and is that of a server.
type attributeProximity struct {
	m    *matcher
	most int
	cost int

	routes *routes
	known  map[stepCost]*roaring.Bitmap
	left   *roaring.Bitmap
	docs   *roaring.Bitmap
	found  []route
}

type stepCost struct {
	step
	cost int
}

func (r *attributeProximity) start(_ *roaring.Bitmap, in *routes) {
	g := &graphRule{kind: RuleProximity, m: r.m}
	r.routes, r.cost, r.most, r.known = in, 0, g.mostOf(in), map[stepCost]*roaring.Bitmap{}
}

func (r *attributeProximity) next(universe *roaring.Bitmap) (bucket, bool) {
	g := &graphRule{kind: RuleProximity, m: r.m, most: r.most}
	for ; r.cost <= r.most; r.cost++ {
		r.left, r.docs, r.found = universe.Clone(), roaring.New(), nil
		for _, p := range r.routes.list {
			r.walk(p, 0, r.cost, universe)
		}
		if !r.docs.IsEmpty() {
			b := bucket{r.docs, orderedRoutes(r.found), g.score(r.cost)}
			r.cost++
			return b, true
		}
	}
	return bucket{}, false
}

// walk follows one reading; every step has a choice of costs.
func (r *attributeProximity) walk(p route, i, cost int, docs *roaring.Bitmap) {
	if r.left.IsEmpty() {
		return
	}
	if i == len(p) {
		docs = roaring.And(docs, r.left)
		if cost == 0 && !docs.IsEmpty() {
			r.left.AndNot(docs)
			r.docs.Or(docs)
			r.found = append(r.found, slices.Clone(p))
		}
		return
	}
	st := stepOf(p, i)
	base, costs := r.m.g.nodes[p[i].node].slots()-1, 1
	if !st.first && r.m.g.nodes[st.left.node].posEnd+1 == r.m.g.nodes[p[i].node].pos {
		costs = maxNear
	}
	rest := 0 // the most that what is behind can cost
	for j := i + 1; j < len(p); j++ {
		rest += (&graphRule{kind: RuleProximity, m: r.m}).highest(stepOf(p, j))
	}
	for c := range costs {
		left := cost - base - c
		if left < 0 || left > rest {
			continue
		}
		both := roaring.And(docs, r.condition(st, c, costs))
		both.And(r.left)
		if !both.IsEmpty() {
			r.walk(p, i+1, left, both)
		}
	}
}

// condition are the documents where a step costs c; the last of its costs is that
// of words that are not near.
func (r *attributeProximity) condition(st step, c, costs int) *roaring.Bitmap {
	key := stepCost{st, c}
	if d, ok := r.known[key]; ok {
		return d
	}
	var d *roaring.Bitmap
	if c == costs-1 {
		d = roaring.And(r.m.openDocs(st.right), r.left)
	} else {
		d = r.m.inOneAttribute(st, c > 0, r.left)
	}
	r.known[key] = d
	return d
}

// openDocs are all documents a node may still match.
func (m *matcher) openDocs(s subset) *roaring.Bitmap {
	out := roaring.New()
	for level := range 3 {
		if level == 0 || s.levels>>level&1 != 0 { // phrases without typos always match
			out.Or(m.subsetDocs(s, level))
		}
	}
	return out
}

// edge is a word at the end of what a node matches, with its phrase, if any.
type edge struct {
	term   uint32
	phrase *phrase
}

// edges lists the first or last words of what a node may still match. With a list
// of its own for the prefix, a server leaves its words out.
func (m *matcher) edges(s subset, last bool) []edge {
	n := m.g.nodes[s.node]
	var out []edge
	m.eachTerm(s, func(t uint32) {
		if !n.cached || n.hasExact && t == n.exact || !n.ofPrefix(t) {
			out = append(out, edge{t, nil})
		}
	})
	add := func(p *phrase) {
		w := p.words[0]
		if last {
			w = p.words[len(p.words)-1]
		}
		if !p.dead && !w.wild {
			out = append(out, edge{w.term, p})
		}
	}
	for _, p := range n.levels[0].phrases {
		add(p)
	}
	if s.levels&2 != 0 {
		for _, p := range n.levels[1].phrases {
			add(p)
		}
	}
	return out
}

// ofPrefix tells whether a word is one of those that begin like the node.
func (n *node) ofPrefix(term uint32) bool {
	_, found := slices.BinarySearch(n.levels[0].terms, term)
	return found
}

// inOneAttribute are the documents of universe that have words of both nodes in one
// attribute, as far as the pairs were not looked up before.
func (m *matcher) inOneAttribute(st step, backward bool, universe *roaring.Bitmap) *roaring.Bitmap {
	out := roaring.New()
	left, right := m.edges(st.left, true), m.edges(st.right, false)
	n := m.g.nodes[st.right.node]
	if n.cached && st.right.levels&1 != 0 && !st.right.exact {
		for _, l := range left {
			u := m.within(universe, l.phrase, nil)
			out.Or(roaring.And(m.prefixPair(l.term, st.right.node, u), u))
			if l.phrase == nil && n.hasExact {
				out.Or(roaring.And(m.pair(n.exact, l.term, u), u))
			}
		}
	}
	for _, l := range left {
		if len(right) > 1 && l.phrase == nil && !m.c.termDocs(l.term, m.keepOriginal).Intersects(universe) {
			continue
		}
		for _, w := range right {
			u := m.within(universe, l.phrase, w.phrase)
			if u.IsEmpty() {
				continue
			}
			out.Or(roaring.And(m.pair(l.term, w.term, u), u))
			if backward && l.phrase == nil && w.phrase == nil {
				out.Or(roaring.And(m.pair(w.term, l.term, u), u))
			}
		}
	}
	return out
}

func (m *matcher) within(universe *roaring.Bitmap, phrases ...*phrase) *roaring.Bitmap {
	for _, p := range phrases {
		if p != nil {
			universe = roaring.And(universe, m.phraseDocs(p))
		}
	}
	return universe
}

// pairKey is two words, or a word and a node that is a prefix.
type pairKey struct {
	left, right uint32
	prefix      bool
}

// pair are the documents with both words in one attribute, among those that were
// asked about first.
func (m *matcher) pair(left, right uint32, universe *roaring.Bitmap) *roaring.Bitmap {
	key := pairKey{left, right, false}
	if d, ok := m.pairs[key]; ok && d != nil {
		return d
	} else if ok {
		universe = m.c.live // a phrase or a split word asked about all of them
	}
	d := roaring.New()
	for _, a := range m.c.post[left].attrs {
		for _, b := range m.c.post[right].attrs {
			if a.attr == b.attr && m.attrs.has(a.attr) {
				d.Or(roaring.And(a.docs, b.docs))
			}
		}
	}
	d.And(universe)
	m.pairs[key] = d
	return d
}

func (m *matcher) prefixPair(left uint32, node uint8, universe *roaring.Bitmap) *roaring.Bitmap {
	key := pairKey{left, uint32(node), true}
	if d, ok := m.pairs[key]; ok {
		return d
	}
	d := roaring.New()
	for _, a := range m.c.post[left].attrs {
		if !m.attrs.has(a.attr) {
			continue
		}
		words := newDense(len(m.c.docs))
		for _, t := range m.g.nodes[node].levels[0].terms {
			for _, b := range m.c.post[t].attrs {
				if a.attr == b.attr {
					words.or(b.docs)
				}
			}
		}
		d.Or(roaring.And(a.docs, words.bitmap()))
	}
	d.And(universe)
	m.pairs[key] = d
	return d
}

// askedAlready notes the pairs that are looked up in all documents before the rules
// begin: those in phrases and those that a word could be split into.
func (m *matcher) askedAlready() {
	for _, n := range m.g.nodes {
		for i := range n.levels {
			for _, p := range n.levels[i].phrases {
				for a := range p.words {
					for b := a + 1; b < min(len(p.words), a+3); b++ {
						if !p.words[a].wild && !p.words[b].wild {
							m.pairs[pairKey{p.words[a].term, p.words[b].term, false}] = nil
						}
					}
				}
			}
		}
		for i := range n.text {
			left, okL := m.c.lex.lookup(n.text[:i])
			right, okR := m.c.lex.lookup(n.text[i:])
			if n.quoted == nil && okL && okR {
				m.pairs[pairKey{left, right, false}] = nil
			}
		}
	}
}
