package engine

import (
	"context"
	"fmt"
	"slices"
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
	removal  removal
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

// CheckDistinct is the error of asking for distinct values of an attribute, if it is one.
func (x *Index) CheckDistinct(field string) error {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.core.checkDistinct(field)
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
	first := s.match(kind)
	if s.m != nil {
		s.m.stopped = func() bool { return ctx.Err() != nil }
	}
	b := &bucketSort{c: s.c, rules: s.sorters(), threshold: s.q.RankingScoreThreshold, length: p.from + p.length}
	if p.exhaustive && b.threshold != nil {
		b.enough = s.c.cfg.MaxTotalHits
	}
	if name := s.distinct(); name != "" {
		b.distinct, b.field = s.c.facetOf(name)
	}
	if err := b.run(ctx, s.total, first); err != nil {
		return nil, err
	}
	out := &outcome{hits: b.hits, total: b.candidates, semantic: kind == byVector}
	for i := range out.hits {
		out.hits[i].vector = kind == byVector
	}
	if p.exhaustive && b.distinct != nil {
		out.total, _ = s.c.distinctDocs(b.distinct, b.field, out.total)
	}
	if s.q.Distinct != "" {
		s.oneEmpty(out)
	}
	out.hits = out.hits[min(p.from, len(out.hits)):]
	return out, nil
}

// oneEmpty keeps one hit with an empty string in the distinct attribute. Empty
// strings are no values of a facet, so a server sees them only in the hits it has
// found, and does not look for others in their place.
func (s *search) oneEmpty(out *outcome) {
	total, found := out.total.Clone(), false
	out.hits = slices.DeleteFunc(out.hits, func(h scored) bool {
		if _, empty := s.c.originalValue(h.doc, s.q.Distinct, ""); !empty {
			return false
		}
		if found {
			total.Remove(h.doc)
		}
		again := found
		found = true
		return again
	})
	out.total = total
}

// distinct is the attribute of which hits show each value once, "" for none.
func (s *search) distinct() string {
	if s.q.Distinct != "" {
		return s.q.Distinct
	}
	return s.c.cfg.DistinctAttribute
}

// match finds the matching documents and the rules that order them.
func (s *search) match(kind queryKind) *routes {
	s.g, s.m = nil, nil
	s.total = s.universe
	if kind == byKeywords {
		s.g = s.c.parseQuery(s.q.Q)
		s.m = s.c.newMatcher(s.g, s.attrs)
		if ex := s.m.excluded(); !ex.IsEmpty() {
			s.total = roaring.AndNot(s.total, ex)
		}
		if s.g.slots == 0 {
			kind = byPlaceholder
		}
	}
	s.rules = s.c.rules(kind, s.sorts, s.q.MatchingStrategy)
	if kind == byVector {
		s.similar = s.c.similarities(s.q.Hybrid.Embedder, s.q.Vector, s.total, -1)
	}
	if kind != byKeywords {
		return nil
	}
	s.removal = s.m.removal(s.q.MatchingStrategy)
	s.total = s.m.matching(s.removal, s.total)
	return s.m.allRoutes(s.total)
}

// result turns the outcome into the answer.
func (s *search) result(p page, out *outcome) (*Result, error) {
	total := int(out.total.GetCardinality())
	maxHits := s.c.cfg.MaxTotalHits
	res := &Result{Total: total, Offset: s.q.Offset, Limit: s.q.Limit, Candidates: out.total}
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
	if len(s.q.Facets) > 0 {
		res.FacetDistribution, res.FacetStats = s.c.distribution(s.facets, out.total)
	}
	return res, nil
}
