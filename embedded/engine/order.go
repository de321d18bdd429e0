package engine

import (
	"github.com/RoaringBitmap/roaring/v2"
)

// rule is one ranking rule of one search.
type rule struct {
	kind  RuleKind
	field string
	asc   bool
	geo   *Point
}

// queryKind is what orders the hits of a search.
type queryKind uint8

const (
	byPlaceholder queryKind = iota
	byKeywords
	byVector
	byHybrid
)

// rules lists the ranking rules of a search in their order.
func (c *core) rules(kind queryKind, sorts []sortTerm, strategy MatchingStrategy) []rule {
	var out []rule
	used := make(map[RuleKind]bool)
	used[RuleWords] = strategy == MatchAll
	fields := make(map[string]bool)
	sorted := false
	addField := func(name string, asc bool) {
		if !fields[name] {
			fields[name] = true
			out = append(out, rule{kind: RuleSort, field: name, asc: asc})
		}
	}
	for _, name := range c.cfg.RankingRules {
		if field, asc, ok := customRule(name); ok {
			addField(field, asc)
			continue
		}
		if name == "sort" {
			if sorted {
				continue
			}
			sorted = true
			for _, t := range sorts {
				if t.geo != nil {
					out = append(out, rule{kind: RuleGeo, geo: t.geo, asc: t.asc})
				} else {
					addField(t.field, t.asc)
				}
			}
			continue
		}
		k, ok := queryRules[name]
		switch {
		case !ok || kind == byPlaceholder:
		case kind == byVector:
			if !used[RuleVector] {
				used[RuleVector] = true
				out = append(out, rule{kind: RuleVector})
			}
		default:
			if !used[RuleWords] {
				used[RuleWords] = true
				out = append(out, rule{kind: RuleWords})
			}
			if k != RuleWords && !used[k] {
				used[k] = true
				out = append(out, rule{kind: k})
			}
		}
	}
	return out
}

var queryRules = map[string]RuleKind{
	"words": RuleWords, "typo": RuleTypo, "proximity": RuleProximity, "attribute": RuleAttribute,
	"attributeRank": RuleAttributeRank, "wordPosition": RuleWordPosition, "exactness": RuleExactness,
}

// sorters puts the rules of a search to work.
func (s *search) sorters() []sorter {
	var out []sorter
	for i := range s.rules {
		r := &s.rules[i]
		switch r.kind {
		case RuleWords:
			out = append(out, &wordsRule{m: s.m, removal: s.removal, words: s.g.wordCount()})
		case RuleAttribute:
			out = append(out, &graphRule{kind: RuleAttributeRank, m: s.m, part: partOfAttribute}, &graphRule{kind: RuleWordPosition, m: s.m, part: partOfAttribute})
		case RuleExactness:
			out = append(out, &exactAttribute{m: s.m}, &graphRule{kind: RuleExactness, m: s.m, part: partOfExactness})
		case RuleProximity:
			if s.c.cfg.ProximityByAttribute && !s.c.cfg.Even {
				out = append(out, &attributeProximity{m: s.m})
			} else {
				out = append(out, &graphRule{kind: r.kind, m: s.m})
			}
		case RuleSort:
			out = append(out, &valueSort{c: s.c, field: r.field, asc: r.asc, hidden: !s.c.cfg.names(r.field)})
		case RuleGeo:
			out = append(out, &geoSort{c: s.c, at: *r.geo, asc: r.asc})
		case RuleVector:
			out = append(out, &vectorSort{similarity: s.similar})
		default:
			out = append(out, &graphRule{kind: r.kind, m: s.m})
		}
	}
	return out
}

// sortDocs orders documents by sort terms alone, document order last, and returns a
// page of them. It is what browsing sorts by, and has the oddities of a real server:
// documents with numbers and with strings in a field come twice, those with neither
// but with the field not at all, and what is skipped is counted as if that were not so.
func (c *core) sortDocs(docs *roaring.Bitmap, terms []sortTerm, offset, limit int) []uint32 {
	b := browser{c: c, skip: offset, limit: limit}
	b.sort(docs, terms)
	return b.out
}

type browser struct {
	c           *core
	skip, limit int
	out         []uint32
	over        bool
}

func (b *browser) sort(docs *roaring.Bitmap, terms []sortTerm) {
	if len(terms) == 0 {
		it := docs.Iterator()
		for it.HasNext() && !b.full() {
			if doc := it.Next(); b.skip > 0 {
				b.skip--
			} else {
				b.out = append(b.out, doc)
			}
		}
		return
	}
	t := terms[0]
	if t.geo != nil {
		b.each(&geoSort{c: b.c, at: *t.geo, asc: t.asc}, docs, terms[1:])
		return
	}
	f, _ := b.c.facetOf(t.field)
	if f == nil {
		b.sort(docs, terms[1:])
		return
	}
	for _, numbers := range []bool{true, false} {
		b.each(&valueSort{c: b.c, field: t.field, asc: t.asc, only: &numbers}, docs, terms[1:])
	}
	b.group(roaring.AndNot(docs, f.exists), terms[1:])
}

func (b *browser) each(s sorter, docs *roaring.Bitmap, terms []sortTerm) {
	left := docs.Clone()
	s.start(docs, nil)
	for !b.full() {
		next, ok := s.next(left)
		if !ok {
			return
		}
		left.AndNot(next.docs)
		b.group(next.docs, terms)
	}
}

// group skips documents that are equal so far, or sorts them further.
func (b *browser) group(docs *roaring.Bitmap, terms []sortTerm) {
	n := int(docs.GetCardinality())
	switch {
	case n == 0 || b.full():
	case b.skip > 0 && b.skip >= n:
		b.skip -= n
	default:
		skipping := b.skip > 0
		b.sort(docs, terms)
		b.over = b.over || skipping && len(b.out) == 0 // the page begins behind the end of the group
	}
}

func (b *browser) full() bool { return b.over || len(b.out) >= b.limit }
