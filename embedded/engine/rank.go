package engine

import (
	"math/bits"
	"slices"
)

// maxNear is the distance from which two words count as not near at all.
const maxNear = 4

// place is where a node matches in a document.
type place struct {
	attr, pos uint16
	level     uint8
	exact     bool // the word as it was typed, or the quoted phrase
	typed     bool // the same, joined words too
	phrase    bool
	// first and last say which word of a phrase stands here. Where a document
	// holds a phrase, a server takes all places of these words for the phrase.
	first, last bool
	headless    bool // a stop word stands before the first word
	// outside is set in attributes that are not searched: a server ignores the
	// restriction where it looks at distances and positions.
	outside bool
	// untyped is set for words with typos in attributes without tolerance: they
	// match nothing there but count once the document has matched.
	untyped bool
}

// ref says which node a term belongs to.
type ref struct {
	node  uint8
	level uint8
	exact bool
	typed bool
}

type phraseRef struct {
	phrase *phrase
	node   uint8
	level  uint8
	quoted bool
}

// scorer ranks the documents of one query by what stands where in them. It
// works on one document at a time and is not safe for concurrent use.
type scorer struct {
	m       *matcher
	terms   map[uint32][]ref
	list    []uint32 // the keys of terms, when few
	table   []uint16 // class of every term, when many
	classes [][]ref
	phrases []phraseRef

	doc    *document
	places [][]place // by node
}

// fewTerms is up to how many terms are looked up one by one in a document.
const fewTerms = 12

func newScorer(m *matcher) *scorer {
	s := &scorer{m: m, terms: make(map[uint32][]ref), places: make([][]place, len(m.g.nodes))}
	for i, n := range m.g.nodes {
		for l := range n.levels {
			for _, t := range n.levels[l].terms {
				typed := l == 0 && n.hasExact && t == n.exact
				s.terms[t] = append(s.terms[t], ref{uint8(i), uint8(l), typed && n.words == nil, typed})
			}
			for _, p := range n.levels[l].phrases {
				if !p.dead {
					s.phrases = append(s.phrases, phraseRef{p, uint8(i), uint8(l), n.quoted == p})
				}
			}
		}
	}
	if len(s.terms) <= fewTerms {
		for t := range s.terms {
			s.list = append(s.list, t)
		}
		return s
	}
	s.classify()
	return s
}

// classify numbers the different sets of nodes terms belong to.
func (s *scorer) classify() {
	s.table = make([]uint16, len(s.m.c.lex.words))
	s.classes = [][]ref{nil}
	known := make(map[string]uint16)
	var key []byte
	for t, refs := range s.terms {
		key = key[:0]
		for _, r := range refs {
			e := byte(0)
			if r.exact {
				e = 1
			}
			if r.typed {
				e |= 2
			}
			key = append(key, r.node, r.level, e)
		}
		id, ok := known[string(key)]
		if !ok {
			id = uint16(len(s.classes))
			known[string(key)] = id
			s.classes = append(s.classes, refs)
		}
		s.table[t] = id
	}
}

// load collects the places of all nodes in a document.
func (s *scorer) load(d *document) {
	s.doc = d
	for i := range s.places {
		s.places[i] = s.places[i][:0]
	}
	if s.table != nil {
		for _, o := range d.occ {
			if c := s.table[o.term]; c != 0 {
				s.note(o, s.classes[c])
			}
		}
	} else {
		for _, t := range s.list {
			for _, o := range d.of(t) {
				s.note(o, s.terms[t])
			}
		}
	}
	for i := range s.phrases {
		s.notePhrase(&s.phrases[i])
	}
}

func (s *scorer) notePhrase(p *phraseRef) {
	if !p.phrase.in(s.doc, s.m.attrs, s.m.c.cfg.ProximityByAttribute) {
		return
	}
	words := p.phrase.words
	first := true
	for i, w := range words {
		if w.wild {
			continue
		}
		pl := place{level: p.level, exact: p.quoted, phrase: true, first: first, headless: words[0].wild, last: i == len(words)-1}
		first = false
		if !pl.first && !pl.last {
			continue
		}
		for _, o := range s.doc.of(w.term) {
			pl.attr, pl.pos, pl.outside = o.attr, o.pos, !s.m.attrs.has(o.attr)
			s.places[p.node] = append(s.places[p.node], pl)
		}
	}
}

func (s *scorer) note(o occurrence, refs []ref) {
	outside := !s.m.attrs.has(o.attr)
	for _, r := range refs {
		untyped := (r.level > 0 || s.m.g.nodes[r.node].words != nil) && s.m.c.fields.attrs[o.attr].exact
		s.places[r.node] = append(s.places[r.node], place{attr: o.attr, pos: o.pos, level: r.level, exact: r.exact, typed: r.typed, first: true, last: true, outside: outside, untyped: untyped})
	}
}

// allows tells whether a place counts for what a node may still match. Quoted
// phrases and synonyms always do.
func (s subset) allows(p *place) bool {
	return p.phrase && p.level == 0 || s.levels>>p.level&1 != 0 && (!s.exact || p.exact)
}

// matches tells whether the document matches a node.
func (s *scorer) matches(sub subset) bool {
	for i := range s.places[sub.node] {
		p := &s.places[sub.node][i]
		if !p.outside && !p.untyped && sub.allows(p) {
			return true
		}
	}
	return false
}

// near is the cost of the nearest pair of places of two neighbours. Both are walked once,
// in order: a long document has many places of a common word.
func (s *scorer) near(left, right subset) int {
	as, bs := s.inOrder(left.node), s.inOrder(right.node)
	if s.m.c.cfg.ProximityByAttribute {
		return nearByAttribute(as, bs, left, right)
	}
	best := maxNear - 1
	byPrefix := s.m.g.nodes[right.node].cached
	from := 0
	for i := range as {
		a := &as[i]
		if !a.last || !left.allows(a) {
			continue
		}
		for from < len(bs) && bs[from].at()+maxNear <= a.at() {
			from++
		}
		for j := from; j < len(bs) && bs[j].at() <= a.at()+maxNear; j++ {
			b := &bs[j]
			if a.attr != b.attr || !b.begins(right) {
				continue
			}
			d := int(b.pos) - int(a.pos)
			switch {
			case d > 0:
				d--
			case a.phrase || b.phrase || d == 0:
				continue
			case byPrefix && b.level == 0 && !b.typed:
				continue // words that only begin like it do not count backwards
			default:
				d = -d
			}
			if d < best {
				if best = d; best == 0 {
					return 0
				}
			}
		}
	}
	return best
}

// nearByAttribute takes all words of an attribute for near.
func nearByAttribute(as, bs []place, left, right subset) int {
	j := 0
	for i := range as {
		a := &as[i]
		if !a.last || !left.allows(a) {
			continue
		}
		for j < len(bs) && (bs[j].attr < a.attr || !bs[j].begins(right)) {
			j++
		}
		if j < len(bs) && bs[j].attr == a.attr {
			return 0
		}
	}
	return maxNear - 1
}

// begins tells whether the right one of two neighbours begins at a place.
func (p *place) begins(sub subset) bool { return p.first && !p.headless && sub.allows(p) }

// at is attribute and position in one number.
func (p *place) at() int { return int(p.attr)<<16 | int(p.pos) }

// inOrder are the places of a node by attribute and position. Those of a single word
// are in order as they are.
func (s *scorer) inOrder(node uint8) []place {
	list := s.places[node]
	byPlace := func(a, b place) int { return a.at() - b.at() }
	if !slices.IsSortedFunc(list, byPlace) {
		slices.SortFunc(list, byPlace)
	}
	return list
}

// attributeRank is the rank of the best attribute a node is found in.
func (s *scorer) attributeRank(sub subset) int {
	best := unmatched
	for i := range s.places[sub.node] {
		if p := &s.places[sub.node][i]; p.first && !p.outside && sub.allows(p) {
			best = min(best, dearest, s.m.c.fields.attrs[p.attr].weight*s.m.g.nodes[sub.node].slots())
		}
	}
	return best
}

// wordPosition is how far a node is from where it stands in the query.
func (s *scorer) wordPosition(sub subset) int {
	n := s.m.g.nodes[sub.node]
	best := unmatched
	for i := range s.places[sub.node] {
		p := &s.places[sub.node][i]
		if !p.first || !sub.allows(p) {
			continue
		}
		best = min(best, n.positionCost(int(p.pos)))
	}
	return best
}

// positionCost is what it costs a node to stand at a position.
func (n *node) positionCost(pos int) int {
	d := bucketPosition(pos) - n.pos
	if d < 0 {
		d = -d
	}
	cost := 0
	for i := range n.slots() {
		cost += positionCost(d + i)
	}
	return cost
}

// bucketPosition makes far positions coarse.
func bucketPosition(p int) int {
	switch {
	case p < 16:
		return p
	case p < 24:
		return 24
	}
	return 1 << bits.Len(uint(p-1))
}

func positionCost(distance int) int {
	for cost, limit := range [...]int{0, 1, 4, 7, 11, 16, 24, 64, 256, 1024} {
		if distance <= limit {
			return cost
		}
	}
	return 10
}
