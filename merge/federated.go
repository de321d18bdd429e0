package merge

import (
	"strconv"

	"github.com/miroir-search/miroir/rawjson"
)

// FederatedSpec says what a client asked of a federated search, and brings the answers of the nodes. Every index is
// asked for its own queries, in a federated search of its own, for offset 0 and for as many hits as the last one that
// is shown, with ranking score details and insertion numbers.
type FederatedSpec struct {
	// Offset and Limit select the hits in offset mode; both are echoed.
	Offset, Limit int
	// PageMode switches to Page and HitsPerPage.
	PageMode          bool
	Page, HitsPerPage int
	// Distinct names the attribute of which every value may be shown once over all indexes.
	Distinct string
	// Parts has what was asked of each index, by ascending uid.
	Parts []FederatedPart
	// MergeFacets joins the facets of all indexes; MergedValues bounds the values of each then, below 0 for no bound.
	MergeFacets  bool
	MergedValues int
	// AsIs says that there is one part with one leg, which was asked for the client's own page.
	AsIs bool
	// SemanticHits says that the answer has `semanticHitCount`.
	SemanticHits bool
	// QueryVectors says that the answer has `queryVectors`.
	QueryVectors bool
	// RequestUID and Metadata (raw JSON) are written unless they are empty.
	RequestUID string
	Metadata   []byte
	// Idle (raw JSON) are the performance details of a search that asked nobody.
	Idle []byte
}

// FederatedPart is one index of a federated search.
type FederatedPart struct {
	IndexUID string
	Legs     [][]byte
	// Queries are those of this index, in the order in which its nodes were asked them.
	Queries []FederatedQuery
	// MaxTotalHits, FacetOrder and MaxValuesPerFacet are as in SearchSpec.
	MaxTotalHits      int
	HasFacets         bool
	FacetOrder        func(facet string) Order
	MaxValuesPerFacet int
	// HiddenSorts is as in SearchSpec.
	HiddenSorts []string
}

// FederatedQuery is one query of a federated search.
type FederatedQuery struct {
	// Position is that among all queries of the client.
	Position int
	Weight   float64
	// Distinct is the attribute of which the nodes show every value once for this query.
	Distinct string
	// Strip, Unasked and ShowRankingScoreDetails are as in SearchSpec.
	Strip                   []string
	Unasked                 Unasked
	ShowRankingScoreDetails bool
}

// window returns which ranks of what was merged are shown: [from, to).
func (s *FederatedSpec) window() (from, to int) {
	page := SearchSpec{Offset: s.Offset, Limit: s.Limit, PageMode: s.PageMode, Page: s.Page, HitsPerPage: s.HitsPerPage}
	return page.window()
}

// Depth returns how many hits each index must be asked for.
func (s *FederatedSpec) Depth() int {
	_, to := s.window()
	return to
}

// federated is one hit of a federated search: what its place among the hits of other queries depends on.
type federated struct {
	query  *FederatedQuery
	score  float64 // weighted
	values []weighted
}

// queryList is what one leg found for one query, in its order.
type queryList struct {
	leg, query int
	hits       []int32
}

// Federated appends the answer one node would give that holds the documents of all indexes. Within one query, hits
// have the order of the index's ranking rules, as in Search; hits of different queries are compared by their weighted
// scores. The error is a *LegError when a leg is not the answer to a federated search.
func Federated(dst []byte, spec *FederatedSpec) ([]byte, error) {
	m := newMerger()
	defer m.release()
	m.fed = &federation{}
	m.keepScore = true
	_, depth := spec.window()
	var lists [][]int32
	var total int64
	facets := make([]partFacets, len(spec.Parts))
	for i := range spec.Parts {
		part := &spec.Parts[i]
		first := len(m.legs)
		m.addLegs(part.Legs)
		read, err := m.readPart(part, first)
		if err != nil {
			return dst, err
		}
		var hits []int32
		var rejected int64
		if spec.AsIs {
			for n := range m.hits {
				hits = append(hits, int32(n))
			}
		} else {
			hits, rejected = m.mergePart(spec, part, read, first, depth)
		}
		lists = append(lists, hits)
		found := -rejected
		for l := first; l < len(m.legs); l++ {
			found += m.legs[l].total
		}
		total += max(found, 0)
		if part.HasFacets {
			if facets[i], err = facetsOf(part, m.legs[first:], found); err != nil {
				return dst, err
			}
		}
	}
	if spec.AsIs {
		return m.appendFederated(dst, spec, lists[0], total, facets)
	}
	merged, rejected := distinctHits(m, m.mergeWeighted(lists), spec.Distinct)
	return m.appendFederated(dst, spec, merged, max(total-rejected, 0), facets)
}

// readPart reads all hits that the legs of a part found. The legs begin at first.
func (m *merger) readPart(part *FederatedPart, first int) ([]queryList, error) {
	m.hide = part.HiddenSorts
	var lists []queryList
	for i := first; i < len(m.legs); i++ {
		l := &m.legs[i]
		err := l.open("hits")
		base := len(lists)
		for q := range part.Queries {
			lists = append(lists, queryList{leg: i, query: q})
		}
		for err == nil && !l.ended {
			var q int
			if q, err = m.prepare(part, l); err != nil {
				break
			}
			var n int32
			if n, err = m.readHit(l); err == nil {
				m.fed.hits[n].values = m.weigh(n)
				lists[base+q].hits = append(lists[base+q].hits, n)
			}
		}
		if err == nil {
			err = l.tail("")
		}
		if err != nil {
			return nil, &LegError{Leg: i - first, Err: err}
		}
	}
	return lists, nil
}

// prepare looks into the hit at which l stands for the query that found it, so that it is read as that query wants
// its hits to be.
func (m *merger) prepare(part *FederatedPart, l *leg) (query int, err error) {
	end, err := rawjson.SkipValue(l.body, l.at)
	if err != nil {
		return 0, err
	}
	info, _ := rawjson.Get(l.body[l.at:end], "_federation")
	f := federated{}
	query = -1
	var it rawjson.Members
	for it.Init(info); info != nil && it.Next(); {
		switch string(it.Key) {
		case "queriesPosition":
			if n, ok := rawjson.ParseInt(it.Value); ok && n >= 0 && int(n) < len(part.Queries) {
				query = int(n)
			}
		case "weightedRankingScore":
			f.score = number(it.Value)
		}
	}
	if query < 0 {
		return 0, errFederation
	}
	f.query = &part.Queries[query]
	m.strip, m.unasked, m.keepDetails = f.query.Strip, f.query.Unasked, f.query.ShowRankingScoreDetails
	text := rawjson.AppendString([]byte(`{"indexUid":`), part.IndexUID)
	text = strconv.AppendInt(append(text, `,"queriesPosition":`...), int64(f.query.Position), 10)
	if score, ok := rawjson.Get(info, "weightedRankingScore"); ok {
		text = append(append(text, `,"weightedRankingScore":`...), score...)
	}
	m.fed.info = append(text, '}')
	m.fed.hits = append(m.fed.hits, f)
	return query, nil
}

// mergePart makes one list of what an index found: each document once, at its best place. rejected counts the
// documents that show a value of a distinct attribute again.
func (m *merger) mergePart(spec *FederatedSpec, part *FederatedPart, read []queryList, first, depth int) (hits []int32, rejected int64) {
	total := int64(0)
	for i := first; i < len(m.legs); i++ {
		total += m.legs[i].total
	}
	byQuery := make([][]int32, len(part.Queries))
	for q := range part.Queries {
		var of [][]int32
		for _, r := range read {
			if r.query == q && len(r.hits) > 0 {
				of = append(of, r.hits)
			}
		}
		merged, n := distinctHits(m, m.mergeLists(of, total < wholeMetres), part.Queries[q].Distinct)
		byQuery[q] = merged
		if len(part.Queries) == 1 {
			rejected = n
		}
	}
	seen := make(map[string]bool)
	for _, i := range m.mergeWeighted(byQuery) {
		if seq := m.hits[i].seq; len(seq) > 0 {
			if seen[string(seq)] {
				continue
			}
			seen[string(seq)] = true
		}
		hits = append(hits, i)
	}
	hits, n := distinctHits(m, hits, spec.Distinct)
	if part.MaxTotalHits > 0 {
		depth = min(depth, part.MaxTotalHits)
	}
	return hits[:min(depth, len(hits))], rejected + n
}

// distinctHits leaves out hits that show a value of the attribute again, and counts them.
func distinctHits(m *merger, hits []int32, attribute string) (kept []int32, rejected int64) {
	if attribute == "" {
		return hits, 0
	}
	var seen distinctSet
	for _, i := range hits {
		if seen.admit(m, &m.hits[i], attribute) {
			kept = append(kept, i)
		}
	}
	return kept, int64(len(hits) - len(kept))
}

// mergeLists joins what several legs found for one query, each in its own order but for ties.
func (m *merger) mergeLists(lists [][]int32, whole bool) []int32 {
	var all []int32
	slow := false
	for _, l := range lists {
		all = append(all, l...)
	}
	for _, i := range all {
		slow = slow || m.hits[i].slow
	}
	if slow {
		m.refine(all, 0, whole)
		return all
	}
	for _, l := range lists {
		for from := 0; from < len(l); {
			to := from + 1
			for to < len(l) && m.compareKeys(&m.hits[l[from]], &m.hits[l[to]]) == 0 {
				to++
			}
			m.sortTies(l[from:to])
			from = to
		}
	}
	return mergeHeads(all[:0], lists, func(a, b int32) bool { return m.compare(&m.hits[a], &m.hits[b]) < 0 })
}

// mergeHeads appends the elements of all lists, always the best of their heads; of equal ones that of the first list.
func mergeHeads(dst []int32, lists [][]int32, better func(a, b int32) bool) []int32 {
	heads := make([]int, len(lists))
	for {
		best := -1
		for i, l := range lists {
			if heads[i] < len(l) && (best < 0 || better(l[heads[i]], lists[best][heads[best]])) {
				best = i
			}
		}
		if best < 0 {
			return dst
		}
		dst = append(dst, lists[best][heads[best]])
		heads[best]++
	}
}

// appendFederated writes the answer in the key order of a real one.
func (m *merger) appendFederated(dst []byte, spec *FederatedSpec, hits []int32, total int64, facets []partFacets) ([]byte, error) {
	out := append(dst, `{"hits":[`...)
	from, to := spec.window()
	if spec.AsIs {
		from, to = 0, len(hits)
	}
	semantic := int64(0)
	for i := from; i < min(to, len(hits)); i++ {
		if i > from {
			out = append(out, ',')
		}
		h := &m.hits[hits[i]]
		out = m.appendHit(out, h)
		if h.semantic {
			semantic++
		}
	}
	out = append(out, ']')
	millis := int64(0)
	for i := range m.legs {
		millis = max(millis, m.legs[i].millis)
	}
	if spec.QueryVectors {
		var err error
		if out, err = m.appendVectors(out, spec); err != nil {
			return dst, err
		}
	}
	out = appendInt(out, `,"processingTimeMs":`, millis)
	page := SearchSpec{Offset: spec.Offset, Limit: spec.Limit, PageMode: spec.PageMode, Page: spec.Page, HitsPerPage: spec.HitsPerPage}
	out = appendTotals(out, &page, total)
	out, err := appendPartFacets(out, spec, facets)
	if err != nil {
		return dst, err
	}
	if spec.RequestUID != "" {
		out = rawjson.AppendString(append(out, `,"requestUid":`...), spec.RequestUID)
	}
	out = appendRaw(out, `,"metadata":`, spec.Metadata)
	if spec.AsIs {
		semantic = m.legs[0].semantic
	}
	if spec.SemanticHits {
		out = appendInt(out, `,"semanticHitCount":`, semantic)
	}
	performance := m.slowest()
	if len(m.legs) == 0 {
		performance = spec.Idle
	}
	out = appendRaw(out, `,"performanceDetails":`, performance)
	return append(out, '}'), nil
}

// appendVectors writes the vectors that queries became, by the client's positions.
func (m *merger) appendVectors(out []byte, spec *FederatedSpec) ([]byte, error) {
	out = append(out, `,"queryVectors":{`...)
	first := 0
	vectors := map[int][]byte{}
	last := -1
	for i := range spec.Parts {
		part := &spec.Parts[i]
		for l := range part.Legs {
			var it rawjson.Members
			of := m.legs[first+l].queryVector
			for it.Init(of); of != nil && it.Next(); {
				if q, err := strconv.Atoi(string(it.Key)); err == nil && q >= 0 && q < len(part.Queries) {
					vectors[part.Queries[q].Position] = it.Value
					last = max(last, part.Queries[q].Position)
				}
			}
			if it.Err != nil {
				return nil, &LegError{Leg: l, Err: it.Err}
			}
		}
		first += len(part.Legs)
	}
	began := len(out)
	for q := 0; q <= last; q++ {
		if v, ok := vectors[q]; ok {
			if len(out) > began {
				out = append(out, ',')
			}
			out = append(append(strconv.AppendInt(append(out, '"'), int64(q), 10), `":`...), v...)
		}
	}
	return append(out, '}'), nil
}
