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

// sortDocs orders documents by sort terms alone, document order last. It is what
// browsing sorts by, and has its oddities: documents with numbers and with strings
// in a field come twice, those with neither but with the field not at all.
func (c *core) sortDocs(docs *roaring.Bitmap, terms []sortTerm, limit int) []uint32 {
	var out []uint32
	c.sortInto(docs, terms, limit, &out)
	return out[:min(limit, len(out))]
}

func (c *core) sortInto(docs *roaring.Bitmap, terms []sortTerm, limit int, out *[]uint32) {
	if len(*out) >= limit || docs.IsEmpty() {
		return
	}
	if len(terms) == 0 {
		it := docs.Iterator()
		for it.HasNext() && len(*out) < limit {
			*out = append(*out, it.Next())
		}
		return
	}
	t := terms[0]
	if t.geo != nil {
		c.eachBucket(&geoSort{c: c, at: *t.geo, asc: t.asc}, docs, terms[1:], limit, out)
		return
	}
	f, _ := c.facetOf(t.field)
	if f == nil {
		c.sortInto(docs, terms[1:], limit, out)
		return
	}
	for _, numbers := range []bool{true, false} {
		c.eachBucket(&valueSort{c: c, field: t.field, asc: t.asc, only: &numbers}, docs, terms[1:], limit, out)
	}
	c.sortInto(roaring.AndNot(docs, f.exists), terms[1:], limit, out)
}

func (c *core) eachBucket(s sorter, docs *roaring.Bitmap, terms []sortTerm, limit int, out *[]uint32) {
	left := docs.Clone()
	s.start(docs, nil)
	for len(*out) < limit {
		b, ok := s.next(left)
		if !ok {
			return
		}
		left.AndNot(b.docs)
		c.sortInto(b.docs, terms, limit, out)
	}
}
