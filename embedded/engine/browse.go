package engine

import (
	"container/heap"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sort"
	"strings"

	"github.com/RoaringBitmap/roaring/v2"
)

// Documents lists documents in insertion order or sorted; total counts them
// before offset and limit. It ignores displayedAttributes.
func (x *Index) Documents(q *BrowseQuery) (docs []json.RawMessage, total int, err error) {
	docs, _, total, err = x.Browse(q)
	return docs, total, err
}

// Browse is Documents that gives the ids too.
func (x *Index) Browse(q *BrowseQuery) (docs []json.RawMessage, docIDs []string, total int, err error) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	c := x.core
	sorts, err := parseSort(q.Sort, "invalid_document_sort")
	if err != nil {
		return nil, nil, 0, err
	}
	found, err := c.filterDocuments(q.Filter, "invalid_document_filter")
	if err != nil {
		return nil, nil, 0, err
	}
	if err := c.checkSort(sorts, true); err != nil {
		return nil, nil, 0, err
	}
	if q.IDs != nil {
		ids := roaring.New()
		for _, id := range q.IDs {
			if doc, ok := c.byID[id]; ok {
				ids.Add(doc)
			}
		}
		found = roaring.And(ids, found)
	}
	total = int(found.GetCardinality())
	list := c.sortDocs(found, sorts, q.Offset, q.Limit)
	sel := c.selectionOf(q.Fields, nil)
	sel.vectors = q.RetrieveVectors
	for _, doc := range list {
		docs = append(docs, c.appendShown(nil, c.docs[doc], sel))
		docIDs = append(docIDs, c.docs[doc].id)
	}
	return docs, docIDs, total, nil
}

// MatchIDs lists the ids of the documents a filter holds for, in insertion
// order. A filter that filters nothing matches every document.
func (x *Index) MatchIDs(f any) ([]string, error) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	docs, err := x.core.filterDocuments(f, "invalid_document_filter")
	if err != nil {
		return nil, err
	}
	out := make([]string, 0, docs.GetCardinality())
	docs.Iterate(func(doc uint32) bool {
		out = append(out, x.core.docs[doc].id)
		return true
	})
	return out, nil
}

// FacetSearch lists the values of a facet that begin with a text, typos
// allowed, and how many of the documents that match the query hold them.
func (x *Index) FacetSearch(ctx context.Context, q *FacetQuery) ([]FacetValue, error) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	c := x.core
	if !c.cfg.FacetSearch {
		return nil, &Error{Code: "facet_search_disabled", Message: "The facet search is disabled for this index"}
	}
	if err := c.checkFacetSearch(q.FacetName); err != nil {
		return nil, err
	}
	candidates, err := c.facetCandidates(ctx, q)
	if err != nil {
		return nil, err
	}
	f, _ := c.facetOf(q.FacetName)
	if f == nil {
		return []FacetValue{}, nil
	}
	return c.searchFacet(f, q, candidates), nil
}

func (c *core) checkFacetSearch(name string) error {
	r, n := c.cfg.FilterableRuleOf(name)
	if n >= 0 && r.FacetSearch {
		return nil
	}
	patterns, hidden := c.withoutHidden(c.cfg.filterablePatterns(func(r *FilterableRule) bool { return r.FacetSearch }))
	const hint = " To make it facet-searchable add it to the `filterableAttributes` index settings."
	message := fmt.Sprintf("Attribute `%s` is not facet-searchable. ", name)
	switch {
	case n >= 0:
		message += fmt.Sprintf("Note: this attribute matches rule #%d in filterableAttributes, but this rule does not enable facetSearch.\nHint: enable facetSearch in rule #%d by adding `\"facetSearch\": true` to the rule.\nHint: prepend another rule matching %s with facetSearch: true before rule #%d", n, n, name, n)
	case len(patterns) == 0:
		message += "This index does not have configured facet-searchable attributes." + hint
	default:
		message += "Available facet-searchable attributes patterns are: `" + strings.Join(patterns, ", ") + hiddenNote(hidden) + "`." + hint
	}
	return &Error{Code: "invalid_facet_search_facet_name", Message: message}
}

// facetCandidates are the documents the query part of a facet search matches.
func (c *core) facetCandidates(ctx context.Context, q *FacetQuery) (*roaring.Bitmap, error) {
	s := &search{c: c, q: &Query{
		Q: q.Q, Vector: q.Vector, Hybrid: q.Hybrid, MatchingStrategy: q.MatchingStrategy,
		RankingScoreThreshold: q.RankingScoreThreshold,
	}}
	var err error
	if s.universe, err = c.filterDocuments(q.Filter, "invalid_search_filter"); err != nil {
		return nil, err
	}
	if s.attrs, err = c.searchOn(q.AttributesToSearchOn); err != nil {
		return nil, err
	}
	if err := s.chooseKind(); err != nil {
		return nil, err
	}
	if q.Vector != nil || s.kind == byHybrid {
		return s.universe, nil
	}
	p := page{exhaustive: q.Exhaustive}
	if !q.Exhaustive {
		p.length = 20 // a server counts what a search without limit leaves
	}
	out, err := s.hits(ctx, p)
	if err != nil {
		return nil, err
	}
	return out.total, nil
}

// searchFacet finds the strings of a facet that match and counts them.
func (c *core) searchFacet(f *facet, q *FacetQuery, candidates *roaring.Bitmap) []FacetValue {
	o := f.order()
	match := func(*facetValue) bool { return true }
	fid, _ := c.fields.id(q.FacetName)
	if q.FacetQuery != nil {
		match = c.facetMatcher(*q.FacetQuery, fid)
	}
	ids := o.strs
	if q.FacetQuery != nil {
		ids = foldedOrder(f, ids)
	}
	most, byCount := c.cfg.MaxValuesPerFacet, c.byCount(q.FacetName)
	best := frequentFirst{}
	for _, id := range ids {
		v := f.values[id]
		if !match(v) {
			continue
		}
		n := v.docs.AndCardinality(candidates)
		switch {
		case n == 0:
			continue
		case len(best) < most:
			best = append(best, FacetValue{Value: c.spelling(v, fid, candidates, false), Count: n})
			if len(best) == most && byCount {
				heap.Init(&best)
			}
		case !byCount:
			return best
		case best[0].Count <= n: // a newcomer is preferred to one that is as frequent
			best[0] = FacetValue{Value: c.spelling(v, fid, candidates, false), Count: n}
			heap.Fix(&best, 0)
		}
	}
	if byCount {
		sort.Sort(sort.Reverse(&best))
	}
	return best
}

// foldedOrder sorts values by the form in which facet search looks for them.
func foldedOrder(f *facet, ids []uint32) []uint32 {
	keys := make(map[uint32]string, len(ids))
	for _, id := range ids {
		keys[id] = facetKey(f.values[id].norm)
	}
	ids = slices.Clone(ids)
	sort.SliceStable(ids, func(i, j int) bool { return keys[ids[i]] < keys[ids[j]] })
	return ids
}

// frequentFirst is a heap with the least frequent value on top, of those the
// one that is spelt lowest.
type frequentFirst []FacetValue

func (h frequentFirst) Len() int { return len(h) }

func (h frequentFirst) Less(i, j int) bool {
	return h[i].Count < h[j].Count || h[i].Count == h[j].Count && h[i].Value < h[j].Value
}

func (h frequentFirst) Swap(i, j int) { h[i], h[j] = h[j], h[i] }

// Push does nothing: the size is fixed.
func (h *frequentFirst) Push(any) {}

// Pop does nothing: the size is fixed.
func (h *frequentFirst) Pop() any { return nil }

// facetMatcher says which values the text of a facet search finds.
func (c *core) facetMatcher(query string, field uint16) func(*facetValue) bool {
	want := facetKey(normalizeFacet(query))
	if trimmed := strings.TrimSpace(query); trimmed != query && want != "" {
		at := strings.Index(query, trimmed) // blanks around a text count
		want = query[:at] + want + query[at+len(trimmed):]
	}
	if want == "" { // blanks alone find nothing
		return func(*facetValue) bool { return query == "" }
	}
	begins := func(v *facetValue) bool { return strings.HasPrefix(facetKey(v.norm), want) }
	typos := &c.cfg.Typo
	allowed := 2
	switch {
	case !typos.Enabled || c.fields.attrs[field].exact || len(want) < typos.OneTypo:
		return begins
	case c.exactWord(want):
		return func(v *facetValue) bool { return facetKey(v.norm) == want }
	case len(want) < typos.TwoTypos:
		allowed = 1
	}
	letters := []rune(want)
	return func(v *facetValue) bool { return editDistance(letters, facetKey(v.norm), allowed, true) <= allowed }
}

// facetKey is the form in which facet search looks for a value.
func facetKey(norm string) string { return string(appendLemma(nil, norm, firstScript(norm))) }

// Similar lists the documents nearest to one document. The result's Total is
// capped at maxTotalHits and counts documents without vectors.
func (x *Index) Similar(ctx context.Context, q *SimilarQuery) (*Result, error) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	c := x.core
	missing := &Error{Code: "not_found_similar_id", Message: fmt.Sprintf("Document `%s` not found.", q.ID)}
	if _, ok := c.cfg.Embedders[q.Embedder]; !ok {
		return nil, &Error{Code: "invalid_similar_embedder", Message: fmt.Sprintf("Cannot find embedder with name `%s`.", q.Embedder)}
	}
	target, ok := c.byID[q.ID]
	if !ok {
		return nil, missing
	}
	allowed, err := c.filterDocuments(q.TargetFilter, "invalid_similar_filter")
	if err != nil {
		return nil, err
	}
	if !allowed.Contains(target) {
		return nil, missing
	}
	universe, err := c.filterDocuments(q.Filter, "invalid_similar_filter")
	if err != nil {
		return nil, err
	}
	universe = roaring.And(universe, allowed)
	universe.Remove(target)
	best := make(map[uint32]float32)
	for nth, v := range c.docs[target].vectors[q.Embedder].list {
		for doc, sim := range c.similarities(q.Embedder, v, universe, nth) {
			if old, ok := best[doc]; !ok || sim > old {
				best[doc] = sim
			}
		}
	}
	return c.similarResult(ctx, q, universe, best)
}

func (c *core) similarResult(ctx context.Context, q *SimilarQuery, universe *roaring.Bitmap, best map[uint32]float32) (*Result, error) {
	docs := roaring.New()
	for doc := range best {
		docs.Add(doc)
	}
	maxHits := c.cfg.MaxTotalHits
	offset := min(q.Offset, maxHits)
	limit := min(q.Limit, maxHits-offset)
	b := &bucketSort{c: c, rules: []sorter{&vectorSort{similarity: best}}, from: offset, length: limit}
	if err := b.run(ctx, docs, nil); err != nil {
		return nil, err
	}
	total := int(universe.GetCardinality())
	for i := range b.hits {
		if t := q.RankingScoreThreshold; t != nil && b.hits[i].score < *t {
			// Only now a server sees that what is behind is not near enough.
			b.hits, total = b.hits[:i], offset+i
			break
		}
	}
	s := &search{c: c, q: &Query{
		AttributesToRetrieve: slices.Clone(q.AttributesToRetrieve), RetrieveVectors: q.RetrieveVectors,
		ShowRankingScore: q.ShowRankingScore, ShowRankingScoreDetails: q.ShowRankingScoreDetails,
	}}
	if q.AttributesToRetrieve == nil {
		s.q.AttributesToRetrieve = nil
	}
	f := s.newFormatter()
	res := &Result{Total: min(total, maxHits), Offset: q.Offset, Limit: q.Limit, Hits: []Hit{}}
	for i := range b.hits {
		h := &b.hits[i]
		h.vector = true
		res.Hits = append(res.Hits, Hit{ID: c.docs[h.doc].id, Document: f.hit(h), Score: h.score, Scores: h.scores})
	}
	return res, nil
}
