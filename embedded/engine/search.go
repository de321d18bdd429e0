package engine

import (
	"context"
	"fmt"
	"strings"

	"github.com/RoaringBitmap/roaring/v2"
)

// search is one query under way.
type search struct {
	c *core
	q *Query
	// what the query asks for, resolved
	kind   queryKind
	sorts  []sortTerm
	attrs  attrSet
	facets []string

	universe *roaring.Bitmap // what the filter leaves
	g        *graph
	m        *matcher
	levels   []matchLevel
	total    *roaring.Bitmap // all documents that match
	rules    []rule
	similar  map[uint32]float32
}

// page is the part of the hits that was asked for.
type page struct {
	from, length int // of the hits
	exhaustive   bool
}

func (q *Query) page(maxHits int) page {
	if q.Page == nil && q.HitsPerPage == nil {
		from := min(q.Offset, maxHits)
		return page{from: from, length: min(q.Limit, maxHits-from)}
	}
	number, per := 1, 20
	if q.Page != nil {
		number = *q.Page
	}
	if q.HitsPerPage != nil {
		per = *q.HitsPerPage
	}
	if number <= 0 || per <= 0 {
		return page{exhaustive: true}
	}
	from := maxHits
	if number-1 <= maxHits/per {
		from = min((number-1)*per, maxHits)
	}
	return page{from: from, length: min(per, maxHits-from), exhaustive: true}
}

// Search answers a query. Errors of the client are *Error; a cancelled context
// ends the search with its cause.
func (x *Index) Search(ctx context.Context, q *Query) (*Result, error) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	s := &search{c: x.core, q: q}
	if err := s.check(); err != nil {
		return nil, err
	}
	p := q.page(s.c.cfg.MaxTotalHits)
	out, err := s.hits(ctx, p)
	if err != nil {
		return nil, err
	}
	return s.result(p, out)
}

// outcome are the hits of one search in order, and how many there are in all.
type outcome struct {
	hits  []scored
	total *roaring.Bitmap
	// semantic is set when vectors were looked at.
	semantic bool
}

// scored is a hit with what its rules found.
type scored struct {
	doc    uint32
	scores []RuleScore
	score  float64
	vector bool
}

// check resolves the request and refuses what does not fit the settings.
func (s *search) check() error {
	q := s.q
	var err error
	if s.sorts, err = parseSort(q.Sort, "invalid_search_sort"); err != nil {
		return err
	}
	if s.universe, err = s.c.filterSearch(q.Filter); err != nil {
		return err
	}
	if err := s.c.checkSort(s.sorts, false); err != nil {
		return err
	}
	if q.Distinct != "" {
		if err := s.c.checkDistinct(q.Distinct); err != nil {
			return err
		}
	}
	if s.attrs, err = s.c.searchOn(q.AttributesToSearchOn); err != nil {
		return err
	}
	if s.facets, err = s.c.facetFields(q.Facets); err != nil {
		return err
	}
	return s.chooseKind()
}

func (c *core) checkDistinct(field string) error {
	if c.cfg.Filterable(field) {
		return nil
	}
	patterns := c.cfg.filterablePatterns((*FilterableRule).filterable)
	message := fmt.Sprintf("Attribute `%s` is not filterable and thus, cannot be used as distinct attribute. ", field)
	visible, hidden := c.withoutHidden(patterns)
	_, n := c.cfg.FilterableRuleOf(field)
	switch {
	case n >= 0:
		message += fmt.Sprintf("Note: this attribute matches rule #%d in filterableAttributes, but this rule does not enable filtering.\nHint: enable filtering in rule #%d by adding appropriate filter features.\nHint: prepend another rule matching %s with filter features before rule #%d", n, n, field, n)
	case len(visible) == 0:
		message += "This index does not have configured filterable attributes."
	default:
		message += fmt.Sprintf("Available filterable attributes patterns are: `%s%s`.", strings.Join(visible, ", "), hiddenNote(hidden))
	}
	return &Error{Code: "invalid_search_distinct", OfIndex: true, Message: message}
}

// searchOn resolves attributesToSearchOn.
func (c *core) searchOn(names []string) (attrSet, error) {
	if names == nil {
		return nil, nil
	}
	out, all := attrSet{}, false
	for _, n := range names {
		if n == "*" {
			all = true
			continue
		}
		found := false
		for id, a := range c.fields.attrs {
			if a.search == fullMatch && (a.name == n || strings.Contains(n, "*") && matchPattern(n, a.name) == fullMatch) {
				out[uint16(id)] = struct{}{}
				found = true
			}
		}
		if found || c.cfg.searchesAll() {
			continue
		}
		known := false
		for _, a := range c.cfg.SearchableAttributes {
			known = known || a == n
		}
		if !known {
			return nil, c.notSearchable(n)
		}
	}
	if all {
		return nil, nil
	}
	return out, nil
}

func (c *core) notSearchable(name string) error {
	set := make(map[string]struct{})
	for _, a := range c.fields.attrs {
		if a.search == fullMatch {
			set[a.name] = struct{}{}
		}
	}
	for _, a := range c.cfg.SearchableAttributes {
		set[a] = struct{}{}
	}
	visible, hidden := c.withoutHidden(sortedKeys(set))
	return &Error{Code: "invalid_search_attributes_to_search_on", OfIndex: true, Message: fmt.Sprintf(
		"Attribute `%s` is not searchable. Available searchable attributes are: `%s%s`.", name, strings.Join(visible, ", "), hiddenNote(hidden))}
}

// hits finds the hits of a page, in keyword, vector or mixed order.
func (s *search) hits(ctx context.Context, p page) (*outcome, error) {
	if s.kind == byHybrid {
		return s.hybrid(ctx, p)
	}
	return s.order(ctx, p, s.kind)
}

// order runs one kind of search.
func (s *search) order(ctx context.Context, p page, kind queryKind) (*outcome, error) {
	s.match(kind)
	threshold := s.q.RankingScoreThreshold
	distinct := s.q.Distinct
	if distinct == "" {
		distinct = s.c.cfg.DistinctAttribute
	}
	limit := p.from + p.length
	if threshold != nil || distinct != "" {
		limit = unlimited
	}
	r := s.c.newRanker(s.rules, s.m, s.levels, limit)
	r.similarity = s.similar
	best, err := r.run(ctx)
	if err != nil {
		return nil, err
	}
	total := s.total
	if threshold != nil || distinct != "" {
		best, total = s.thin(r, best, p, distinct)
	}
	out := &outcome{total: total, semantic: kind == byVector}
	for i := p.from; i < min(len(best), p.from+p.length); i++ {
		scores := r.details(&best[i])
		out.hits = append(out.hits, scored{
			doc: best[i].doc, scores: scores, score: globalScore(scores), vector: kind == byVector && hasVector(scores),
		})
	}
	return out, nil
}

// match finds the matching documents and the rules that order them.
func (s *search) match(kind queryKind) {
	s.g, s.m = nil, nil
	s.total = s.universe
	if kind == byKeywords {
		s.g = s.c.parseQuery(s.q.Q)
		s.m = &matcher{c: s.c, g: s.g, attrs: s.attrs}
		if ex := s.m.excluded(); !ex.IsEmpty() {
			s.total = roaring.AndNot(s.total, ex)
		}
		if s.g.slots == 0 {
			kind = byPlaceholder
		}
	}
	s.rules = s.c.rules(kind, s.sorts, s.q.MatchingStrategy)
	if kind != byKeywords {
		s.m = nil
		s.levels = []matchLevel{{docs: s.total}}
		if kind == byVector {
			s.similar = s.c.similarities(s.q.Hybrid.Embedder, s.q.Vector, s.total)
		}
		return
	}
	s.levels = s.m.levels(s.q.MatchingStrategy, s.total)
	s.total = roaring.New()
	byWords := false
	for i := range s.levels {
		s.total.Or(s.levels[i].docs)
	}
	for i := range s.rules {
		byWords = byWords || s.rules[i].kind <= RuleExactness
	}
	if !byWords {
		s.levels = []matchLevel{{docs: s.total}}
		s.m = nil
	}
}

// thin applies the score threshold and the distinct attribute to hits in
// order. It returns those that stay and what counts as matching then.
func (s *search) thin(r *ranker, best []ranked, p page, distinct string) ([]ranked, *roaring.Bitmap) {
	total := s.total.Clone()
	want := p.from + p.length
	if p.exhaustive && s.q.RankingScoreThreshold != nil {
		want = max(want, s.c.cfg.MaxTotalHits)
	}
	f, field := s.c.facetOf(distinct)
	excluded := roaring.New()
	out := best[:0:0]
	for i := 0; i < len(best); {
		// Documents that no rule tells apart are looked at together.
		end := i + 1
		for r.width > 0 && end < len(best) && compareKeys(&best[i], &best[end]) == 0 {
			end++
		}
		if len(out) >= want {
			break
		}
		if t := s.q.RankingScoreThreshold; t != nil && globalScore(r.details(&best[i])) < *t {
			for ; i < end; i++ {
				total.Remove(best[i].doc)
			}
			continue
		}
		for ; i < end; i++ {
			doc := best[i].doc
			if excluded.Contains(doc) {
				continue
			}
			out = append(out, best[i])
			if f == nil || distinct == "" {
				continue
			}
			if d := s.c.docs[doc].facet(field); d != nil {
				for _, v := range d.values {
					excluded.Or(f.values[v].docs)
				}
			}
		}
	}
	if !excluded.IsEmpty() {
		total.AndNot(excluded)
		for i := range out {
			total.Add(out[i].doc)
		}
	}
	if p.exhaustive && f != nil && distinct != "" {
		total = s.c.distinctDocs(f, field, total)
	}
	return out, total
}

func compareKeys(a, b *ranked) int {
	for i := range a.keys {
		if a.keys[i] != b.keys[i] {
			return 1
		}
	}
	return 0
}

// distinctDocs keeps the first document of each value.
func (c *core) distinctDocs(f *facet, field uint16, docs *roaring.Bitmap) *roaring.Bitmap {
	excluded, out := roaring.New(), roaring.New()
	it := docs.Iterator()
	for it.HasNext() {
		doc := it.Next()
		if excluded.Contains(doc) {
			continue
		}
		out.Add(doc)
		if d := c.docs[doc].facet(field); d != nil {
			for _, v := range d.values {
				excluded.Or(f.values[v].docs)
			}
		}
	}
	return out
}

// result turns the outcome into the answer.
func (s *search) result(p page, out *outcome) (*Result, error) {
	total := int(out.total.GetCardinality())
	maxHits := s.c.cfg.MaxTotalHits
	res := &Result{Total: total, Offset: s.q.Offset, Limit: s.q.Limit}
	if s.q.CapTotals {
		res.Total = min(total, maxHits)
		res.Offset = min(s.q.Offset, maxHits)
	}
	if p.exhaustive {
		res.Paged, res.Page, res.HitsPerPage = true, 1, 20
		if s.q.Page != nil {
			res.Page = *s.q.Page
		}
		if s.q.HitsPerPage != nil {
			res.HitsPerPage = *s.q.HitsPerPage
		}
		if res.HitsPerPage > 0 {
			res.TotalPages = (res.Total + res.HitsPerPage - 1) / res.HitsPerPage
		}
	}
	f := s.newFormatter()
	res.Hits = make([]Hit, len(out.hits))
	semantic := 0
	for i := range out.hits {
		h := &out.hits[i]
		if h.vector {
			semantic++
		}
		res.Hits[i] = Hit{ID: s.c.docs[h.doc].id, Document: f.hit(h), Score: h.score, Scores: h.scores}
	}
	if s.kind == byVector || s.kind == byHybrid {
		res.SemanticHitCount = &semantic
		if s.q.RetrieveVectors && out.semantic {
			res.QueryVector = s.q.Vector
		}
	}
	if len(s.facets) > 0 {
		res.FacetDistribution, res.FacetStats = s.c.distribution(s.facets, out.total)
	}
	return res, nil
}
