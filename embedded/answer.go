package embedded

import (
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/miroir-search/miroir/api"
	"github.com/miroir-search/miroir/embedded/engine"
)

// answer is the body of a search answer. It is written by hand: the hits are JSON already.
type answer struct {
	query    *api.SearchQuery
	res      *engine.Result
	uid      string
	took     time.Duration
	metadata *metadata
	// legacy is the older form: an empty list of facets gives empty objects.
	legacy bool
	// indexUID is set inside a multi-search, where each answer names its index.
	indexUID string
}

type metadata struct {
	Query      *string `json:"query,omitempty"`
	QueryUID   string  `json:"queryUid"`
	IndexUID   string  `json:"indexUid"`
	PrimaryKey *string `json:"primaryKey,omitempty"`
}

func newAnswer(q *api.SearchQuery, res *engine.Result, x *index, wantMetadata bool) *answer {
	a := &answer{query: q, res: res}
	if wantMetadata {
		a.metadata = x.metadata(q)
	}
	return a
}

func (x *index) metadata(q *api.SearchQuery) *metadata {
	text := ""
	if q.Q != nil {
		text = *q.Q
	}
	m := &metadata{Query: &text, QueryUID: uuid.NewString(), IndexUID: x.uid}
	if x.primaryKey != "" {
		m.PrimaryKey = &x.primaryKey
	}
	return m
}

func member(b []byte, name string) []byte {
	if b[len(b)-1] != '{' {
		b = append(b, ',')
	}
	b = append(b, '"')
	b = append(b, name...)
	return append(b, '"', ':')
}

func intMember(b []byte, name string, n int) []byte {
	return strconv.AppendInt(member(b, name), int64(n), 10)
}

func jsonMember(b []byte, name string, v any) []byte {
	data, err := api.Marshal(v)
	if err != nil {
		data = []byte("null")
	}
	return append(member(b, name), data...)
}

func appendHits(b []byte, hits []engine.Hit) []byte {
	b = append(member(b, "hits"), '[')
	for i := range hits {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, hits[i].Document...)
	}
	return append(b, ']')
}

func (a *answer) append(b []byte) []byte {
	res := a.res
	b = append(b, '{')
	if a.indexUID != "" {
		b = jsonMember(b, "indexUid", a.indexUID)
	}
	b = appendHits(b, res.Hits)
	text := ""
	if a.query.Q != nil {
		text = *a.query.Q
	}
	b = jsonMember(b, "query", text)
	if res.QueryVector != nil {
		b = jsonMember(b, "queryVector", floats(res.QueryVector))
	}
	b = intMember(b, "processingTimeMs", int(a.took.Milliseconds()))
	b = appendPaging(b, res)
	if a.legacy && a.query.Facets != nil && len(a.query.Facets) == 0 {
		b = append(member(b, "facetDistribution"), '{', '}')
		b = append(member(b, "facetStats"), '{', '}')
	}
	if res.FacetDistribution != nil {
		b = jsonMember(b, "facetDistribution", res.FacetDistribution)
	}
	if res.FacetStats != nil {
		b = jsonMember(b, "facetStats", floatStats(res.FacetStats))
	}
	if a.uid != "" { // old versions have none
		b = jsonMember(b, "requestUid", a.uid)
	}
	if a.metadata != nil {
		b = jsonMember(b, "metadata", a.metadata)
	}
	if a.query.ShowPerformanceDetails {
		b = jsonMember(b, "performanceDetails", map[string]string{"search": a.took.String()})
	}
	if res.SemanticHitCount != nil {
		b = intMember(b, "semanticHitCount", *res.SemanticHitCount)
	}
	return append(b, '}')
}

func appendPaging(b []byte, res *engine.Result) []byte {
	if res.Paged {
		b = intMember(b, "hitsPerPage", res.HitsPerPage)
		b = intMember(b, "page", res.Page)
		b = intMember(b, "totalPages", res.TotalPages)
		return intMember(b, "totalHits", res.Total)
	}
	b = intMember(b, "limit", res.Limit)
	b = intMember(b, "offset", res.Offset)
	return intMember(b, "estimatedTotalHits", res.Total)
}

func similarAnswer(id string, res *engine.Result, took time.Duration, details bool) []byte {
	b := appendHits([]byte{'{'}, res.Hits)
	b = jsonMember(b, "id", id)
	b = intMember(b, "processingTimeMs", int(took.Milliseconds()))
	b = appendPaging(b, res)
	if details {
		b = jsonMember(b, "performanceDetails", map[string]string{"search": took.String()})
	}
	return append(b, '}')
}

// float prints with a decimal point, always.
type float float64

// MarshalJSON prints the number as Meilisearch does.
func (f float) MarshalJSON() ([]byte, error) { return []byte(api.FormatFloat(float64(f))), nil }

type statsView struct {
	Min float `json:"min"`
	Max float `json:"max"`
}

func floatStats(all map[string]engine.FacetStats) map[string]statsView {
	out := make(map[string]statsView, len(all))
	for name, s := range all {
		out[name] = statsView{float(s.Min), float(s.Max)}
	}
	return out
}

func floats(list []float32) []float {
	out := make([]float, len(list))
	for i, f := range list {
		out[i] = float(f)
	}
	return out
}
