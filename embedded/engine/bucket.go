package engine

import (
	"context"
	"slices"

	"github.com/RoaringBitmap/roaring/v2"
)

// bucketSort orders documents like a server does: a rule parts them into buckets,
// the next rule parts each of these, until the page is full.
type bucketSort struct {
	c         *core
	rules     []sorter
	threshold *float64
	distinct  *facet
	field     uint16 // of distinct
	from      int
	length    int
	enough    int // documents to look at though the page is full

	universes  []*roaring.Bitmap
	scores     []RuleScore
	candidates *roaring.Bitmap
	offset     int
	hits       []scored
}

// run returns the hits of a page. candidates is what counts as found then.
func (b *bucketSort) run(ctx context.Context, universe *roaring.Bitmap, first *routes) error {
	b.candidates = universe.Clone()
	if universe.GetCardinality() < uint64(b.from) {
		return nil
	}
	if len(b.rules) == 0 {
		b.plain(universe)
		return nil
	}
	b.universes = make([]*roaring.Bitmap, len(b.rules))
	for i := range b.universes {
		b.universes[i] = roaring.New()
	}
	b.universes[0] = universe.Clone()
	b.rules[0].start(universe, first)
	at := 0
	for len(b.hits) < max(b.length, b.enough) {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if b.universes[at].IsEmpty() {
			if at = b.back(at); at < 0 {
				break
			}
			continue
		}
		next, ok := b.rules[at].next(b.universes[at])
		if !ok {
			if at = b.back(at); at < 0 {
				break
			}
			continue
		}
		at = b.take(at, next)
	}
	if ctx.Err() != nil { // the last bucket may be cut short
		return context.Cause(ctx)
	}
	return nil
}

// back leaves a rule.
func (b *bucketSort) back(at int) int {
	b.universes[at] = roaring.New()
	at--
	if at >= 0 && len(b.scores) > at {
		b.scores = b.scores[:len(b.scores)-1]
	}
	return at
}

// take adds the documents of a bucket to the hits or hands them to the next rule,
// and returns the rule to go on with.
func (b *bucketSort) take(at int, next bucket) int {
	b.scores = append(b.scores, next.score)
	below := b.threshold != nil && globalScore(b.scores) < *b.threshold
	b.universes[at].AndNot(next.docs)
	if at == len(b.rules)-1 || b.offset+int(next.docs.GetCardinality()) < b.from || below {
		if below {
			b.candidates.AndNot(next.docs)
			b.candidates.AndNot(b.universes[at])
		} else {
			b.add(next.docs)
		}
		b.scores = b.scores[:len(b.scores)-1]
		return at
	}
	at++
	b.universes[at] = next.docs.Clone()
	b.rules[at].start(next.docs, next.routes)
	return at
}

// add puts the documents of a bucket that nothing tells apart into the hits.
func (b *bucketSort) add(docs *roaring.Bitmap) {
	if b.distinct != nil {
		remaining, excluded := b.c.distinctDocs(b.distinct, b.field, docs)
		for _, u := range b.universes {
			u.AndNot(excluded)
		}
		b.candidates.AndNot(excluded)
		docs = remaining
	}
	b.candidates.Or(docs)
	n := int(docs.GetCardinality())
	if b.offset+n >= b.from {
		list := docs.ToArray()
		list = list[min(max(b.from-b.offset, 0), n):]
		if room := b.length - len(b.hits); len(list) > room {
			list = list[:max(room, 0)]
		}
		for _, doc := range list {
			b.hits = append(b.hits, b.hit(doc))
		}
	}
	b.offset += n
}

func (b *bucketSort) hit(doc uint32) scored {
	scores := finished(b.scores)
	return scored{doc: doc, scores: scores, score: globalScore(scores)}
}

// plain takes documents in their own order.
func (b *bucketSort) plain(universe *roaring.Bitmap) {
	if b.distinct == nil {
		it := universe.Iterator()
		for i := 0; it.HasNext() && i < b.from+b.length; i++ {
			if doc := it.Next(); i >= b.from {
				b.hits = append(b.hits, b.hit(doc))
			}
		}
		return
	}
	excluded := roaring.New()
	var list []uint32
	it := universe.Iterator()
	for it.HasNext() && len(list) < b.from+b.length {
		doc := it.Next()
		if excluded.Contains(doc) {
			continue
		}
		b.c.excludeAlike(b.distinct, b.field, doc, excluded)
		list = append(list, doc)
	}
	b.candidates.AndNot(excluded)
	b.candidates.AddMany(list)
	for _, doc := range list[min(b.from, len(list)):] {
		b.hits = append(b.hits, b.hit(doc))
	}
}

// excludeAlike adds the documents that share a value with a document, itself among
// them.
func (c *core) excludeAlike(f *facet, field uint16, doc uint32, to *roaring.Bitmap) {
	if d := c.docs[doc].facet(field); d != nil {
		for _, v := range d.values {
			to.Or(f.values[v].docs)
		}
	}
}

// distinctDocs keeps the first document of each value; excluded are all that have
// one of these values.
func (c *core) distinctDocs(f *facet, field uint16, docs *roaring.Bitmap) (remaining, excluded *roaring.Bitmap) {
	remaining, excluded = roaring.New(), roaring.New()
	docs.Iterate(func(doc uint32) bool {
		if !excluded.Contains(doc) {
			c.excludeAlike(f, field, doc, excluded)
			remaining.Add(doc)
		}
		return true
	})
	return remaining, excluded
}

// finished joins the parts of rules that are shown as one.
func finished(parts []RuleScore) []RuleScore {
	out := make([]RuleScore, 0, len(parts))
	for _, s := range parts {
		last := len(out) - 1
		switch {
		case s.part == partOfAttribute && s.Kind == RuleWordPosition && last >= 0:
			f := out[last]
			j := RuleScore{Kind: RuleAttribute, Key: "attribute", AttributeScore: f.Local(), DistanceScore: s.Local()}
			j.Rank, j.Max = mergeRanks(f.Rank, f.Max, s.Rank, s.Max)
			out[last] = j
		case s.part == partOfExactness && s.Max == 3 && s.Type > 0:
			s.Key, s.MatchType = "exactness", [...]string{"noExactMatch", "matchesStart", "exactMatch"}[s.Type-1]
			out = append(out, s)
		case s.part == partOfExactness && last >= 0:
			e := &out[last]
			e.Matching, e.MaxMatching = s.Matching, s.MaxMatching
			e.Rank, e.Max = mergeRanks(e.Rank, e.Max, s.Rank, s.Max)
		default:
			out = append(out, s)
		}
	}
	return slices.Clip(out)
}
