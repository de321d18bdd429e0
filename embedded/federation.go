package embedded

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/miroir-search/miroir/api"
	"github.com/miroir-search/miroir/embedded/engine"
	"github.com/miroir-search/miroir/rawjson"
)

// fedHit is one hit of one query inside a federated search.
type fedHit struct {
	hit    *engine.Hit
	query  int
	index  *fedIndex
	weight float64
}

// fedIndex is what all queries of one index found.
type fedIndex struct {
	uid        string
	x          *index
	lists      [][]fedHit // by query
	candidates *roaring.Bitmap
	wanted     []string       // facets; nil for none
	facets     *engine.Result // nil where none are wanted
	first      int            // the first query that searches the index
}

// federation gathers the hits of the queries of one federated search.
type federation struct {
	request  *request
	order    *api.Federation
	depth    int // hits that are needed at most
	indexes  map[string]*fedIndex
	metadata []*metadata
	vectors  map[int][]float32 // by query
	semantic bool
	proxied  bool
	previous *rankOrder // of the queries before, that with the most rules
}

func (fed *federation) run(i int, query *api.MultiQuery) *api.Error {
	if err := fed.checkOrder(i, query); err != nil {
		return err
	}
	q, f := query.SearchQuery, fed.order
	q.Offset, q.Limit = 0, fed.depth
	if f.Page != nil || f.HitsPerPage != nil {
		one, depth := 1, fed.depth
		q.Page, q.HitsPerPage = &one, &depth
	}
	if f.Distinct != nil {
		q.Distinct = f.Distinct
	}
	res, x, err := fed.request.runSearch(query.IndexUID, &q)
	if err != nil {
		return err
	}
	in := fed.indexes[query.IndexUID]
	if in == nil {
		in = &fedIndex{uid: query.IndexUID, x: x, candidates: roaring.New(), first: i}
		fed.indexes[query.IndexUID] = in
	}
	in.candidates.Or(res.Candidates)
	fed.semantic = fed.semantic || res.SemanticHitCount != nil
	fed.metadata[i] = x.metadata(&q)
	if res.QueryVector != nil {
		if fed.vectors == nil {
			fed.vectors = make(map[int][]float32)
		}
		fed.vectors[i] = res.QueryVector
	}
	weight := 1.0
	if o := query.Options; o != nil {
		weight = o.Weight
	}
	list := make([]fedHit, len(res.Hits))
	for h := range res.Hits {
		list[h] = fedHit{&res.Hits[h], i, in, weight}
	}
	in.lists = append(in.lists, list)
	return nil
}

func (fed *federation) total() int {
	sum := 0
	for _, in := range fed.indexes {
		sum += int(in.candidates.GetCardinality())
	}
	return sum
}

// mergeLists joins lists that are in order, each of one query or one index. Ties are given to the earlier query. The
// order inside a list is kept, whatever the comparison says about its hits.
func mergeLists(lists [][]fedHit) []fedHit {
	var out []fedHit
	for {
		best := -1
		for i, list := range lists {
			if len(list) > 0 && (best < 0 || comesBefore(list[0], lists[best][0])) {
				best = i
			}
		}
		if best < 0 {
			return out
		}
		out, lists[best] = append(out, lists[best][0]), lists[best][1:]
	}
}

func comesBefore(a, b fedHit) bool {
	if c := engine.CompareScores(a.hit.Scores, a.weight, b.hit.Scores, b.weight); c != 0 {
		return c < 0
	}
	return a.query < b.query
}

// merge orders the hits: first those of each index, where a document keeps its best place, then all. rejected counts
// those that another index has shown the distinct value of.
func (fed *federation) merge() (hits []fedHit, rejected int) {
	lists := make([][]fedHit, 0, len(fed.indexes))
	for _, uid := range sortedKeys(fed.indexes) {
		lists = append(lists, fed.indexes[uid].merge(fed.order.Distinct, fed.depth))
	}
	hits = mergeLists(lists)
	if fed.order.Distinct == nil || len(fed.indexes) < 2 {
		return hits, 0
	}
	seen := make(map[string]bool)
	before := len(hits)
	hits = slices.DeleteFunc(hits, func(h fedHit) bool { return !firstOfItsValue(h, *fed.order.Distinct, seen) })
	return hits, before - len(hits)
}

// merge orders the hits of one index and drops what it has already; documents rejected for their distinct value count
// no longer.
func (in *fedIndex) merge(distinct *string, depth int) []fedHit {
	seen, values := make(map[string]bool), make(map[string]bool)
	var out []fedHit
	for _, h := range mergeLists(in.lists) {
		if len(out) == depth {
			break
		}
		if seen[h.hit.ID] {
			continue
		}
		seen[h.hit.ID] = true
		if distinct != nil && !firstOfItsValue(h, *distinct, values) {
			if n, ok := in.x.engine.Number(h.hit.ID); ok {
				in.candidates.Remove(n)
			}
			continue
		}
		out = append(out, h)
	}
	return out
}

// firstOfItsValue tells whether none of a hit's values of a field was seen before, and notes them then.
func firstOfItsValue(h fedHit, field string, seen map[string]bool) bool {
	values := leafValues(h.index.x.document(h.hit.ID), field)
	keys := make([]string, len(values))
	for i, v := range values {
		keys[i] = facetKey(v)
	}
	if slices.ContainsFunc(keys, func(k string) bool { return seen[k] }) {
		return false
	}
	for _, k := range keys {
		seen[k] = true
	}
	return true
}

// encode writes the hits with their _federation member.
func (fed *federation) encode(hits []fedHit) []byte {
	var b []byte
	for i, h := range hits {
		if i > 0 {
			b = append(b, ',')
		}
		extra := fmt.Appendf(nil, `"_federation":{"indexUid":%s,"queriesPosition":%d,"weightedRankingScore":%s`,
			api.QuoteJSON(h.index.uid), h.query, api.FormatFloat(h.hit.Score*h.weight))
		if fed.proxied {
			extra = append(extra, `,"weightedScoreValues":`...)
			extra = appendScoreValues(extra, engine.ScoreValues(h.hit.Scores, h.weight))
			extra = append(append(extra, `,"extra_document":`...), fed.extraDocument(h)...)
		}
		b = rawjson.AppendMembers(b, h.hit.Document, append(extra, '}'))
	}
	return b
}

// extraDocument is what a proxy needs of a document to drop duplicates and correct facets, whatever is retrieved.
func (fed *federation) extraDocument(h fedHit) []byte {
	if fed.order.Distinct == nil {
		return []byte("{}")
	}
	fields := []string{*fed.order.Distinct}
	for _, f := range fed.order.FacetsByIndex {
		if f.IndexUID == h.index.uid {
			fields = append(fields, f.Facets...)
		}
	}
	shown, err := api.ParseJSON(h.hit.Document)
	if err != nil {
		return []byte("{}")
	}
	// what the hit shows already is not said twice
	fields = slices.DeleteFunc(fields, func(f string) bool { return len(leafValues(&shown, f)) > 0 })
	doc, ok := h.index.x.engine.View(h.hit.ID, fields, false)
	if !ok {
		return []byte("{}")
	}
	return doc
}

func (fed *federation) appendVectors(b []byte) []byte {
	if fed.vectors == nil {
		return b
	}
	b = append(member(b, "queryVectors"), '{')
	for _, i := range sortedInts(fed.vectors) {
		b = jsonMember(b, strconv.Itoa(i), floats(fed.vectors[i]))
	}
	return append(b, '}')
}

func sortedInts[V any](m map[int]V) []int {
	keys := make([]int, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
