package engine

import (
	"github.com/RoaringBitmap/roaring/v2"
)

// Results of exactAttribute.
const (
	attributeEquals = iota
	attributeStarts
	attributeDiffers
)

// exactAttribute puts documents first that have an attribute that is the query, and
// then those that have one that begins with it.
type exactAttribute struct {
	m      *matcher
	routes *routes
	docs   [3]*roaring.Bitmap
	at     int
}

func (r *exactAttribute) start(universe *roaring.Bitmap, in *routes) {
	r.routes, r.at = in, 0
	r.docs = [3]*roaring.Bitmap{roaring.New(), roaring.New(), nil}
	exact := r.m.exactNodes(in)
	if len(exact) == 0 {
		return
	}
	candidates := universe
	for _, n := range exact { // those that cannot be it need not be looked at
		candidates = roaring.And(candidates, r.m.exactDocs(subset{node: n, levels: allLevels}))
	}
	s := newScorer(r.m)
	candidates.Iterate(func(doc uint32) bool {
		s.doc = r.m.c.docs[doc]
		if how := s.exactAttribute(exact); how != attributeDiffers {
			r.docs[how].Add(doc)
		}
		return true
	})
}

func (r *exactAttribute) next(universe *roaring.Bitmap) (bucket, bool) {
	for r.at < len(r.docs) {
		docs := universe.Clone()
		if d := r.docs[r.at]; d != nil {
			docs.And(d)
		}
		s := RuleScore{Kind: RuleExactness, part: partOfExactness, Type: uint64(3 - r.at), Rank: uint64(3 - r.at), Max: 3}
		r.at++
		if !docs.IsEmpty() {
			return bucket{docs: docs, routes: r.routes, score: s}, true
		}
	}
	return bucket{}, false
}

// exactNodes are the words and phrases as they were typed that are still open, in
// order; none when one is missing in between.
func (m *matcher) exactNodes(in *routes) []uint8 {
	by := map[int]uint8{}
	list := in.list
	if in.possible != nil {
		list = in.possible
	}
	for _, p := range list {
		for _, s := range p {
			n := m.g.nodes[s.node]
			if n.words == nil && s.levels&1 != 0 && (n.hasExact || n.quoted != nil) {
				by[n.slot] = s.node
			}
		}
	}
	var out []uint8
	for slot := range m.g.slots {
		if n, ok := by[slot]; ok {
			out = append(out, n)
		}
	}
	if len(out) == 0 || m.g.nodes[out[0]].slot != 0 {
		return nil
	}
	for i := 1; i < len(out); i++ {
		if m.g.nodes[out[i]].slot-m.g.nodes[out[i-1]].slot > 1 {
			return nil
		}
	}
	return out
}

// exactDocs are the documents with the word or the phrase of a node as it was
// typed; nil when it may not match that way.
func (m *matcher) exactDocs(s subset) *roaring.Bitmap {
	n := m.g.nodes[s.node]
	switch {
	case n.words != nil || s.levels&1 == 0:
		return nil
	case n.quoted != nil:
		return m.phraseDocs(n.quoted)
	case n.hasExact:
		return m.c.termDocs(n.exact, m.keepOriginal)
	}
	return nil
}

// exactAttribute tells whether an attribute of the document is the query, or
// begins with it.
func (s *scorer) exactAttribute(exact []uint8) int {
	total := 0
	for _, id := range exact {
		n := s.m.g.nodes[id]
		total += n.posEnd - n.pos + 1
	}
	attrs := make(map[uint16]int)
	words := 0
	for _, id := range exact {
		n := s.m.g.nodes[id]
		list := []phraseWord{{term: n.exact}}
		if n.quoted != nil {
			list = n.quoted.words
		}
		for i, w := range list {
			if w.wild {
				continue
			}
			words++
			if !s.placed(w.term, n.pos+i, words, attrs) {
				return attributeDiffers
			}
		}
	}
	result := attributeDiffers
	for attr, n := range attrs {
		if n != words {
			continue
		}
		if s.doc.wordCount(attr) == total && total <= 30 {
			return attributeEquals
		}
		result = attributeStarts
	}
	return result
}

// placed checks that a word stands somewhere at its position in the query and
// counts, for attributes that had all words before, that they have this one.
func (s *scorer) placed(term uint32, pos, nth int, attrs map[uint16]int) bool {
	found := false
	last := -1
	for _, o := range s.doc.of(term) {
		found = found || bucketPosition(int(o.pos)) == bucketPosition(pos)
		if !s.m.attrs.has(o.attr) {
			continue
		}
		if int(o.attr) != last {
			last = int(o.attr)
			if attrs[o.attr] == nth-1 {
				attrs[o.attr] = nth
			}
		}
	}
	return found
}
