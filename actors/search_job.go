package actors

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/miroir-search/miroir/merge"
	"github.com/miroir-search/miroir/nodeclient"
	"github.com/miroir-search/miroir/rawjson"
	"github.com/miroir-search/miroir/topology"
)

// searchJob is one search of one index.
type searchJob struct {
	iv       *indexView
	body     []byte // the client's, valid JSON
	metadata bool   // the client asked for it
	p        searchParams

	keyed topology.ShardSet // the shards that its filter by primary key leaves
	byKey bool
}

func newSearchJob(iv *indexView, body []byte, metadata bool) *searchJob {
	j := &searchJob{iv: iv, body: body, metadata: metadata, p: parseSearch(body, iv)}
	if !j.p.odd && !j.p.spec.HasFacets { // which facets exist is known by all nodes together
		j.keyed, j.byKey = keyShards(j.p.filter, iv.row.PrimaryKey, iv.table.Shards())
	}
	return j
}

// searchParams is what the proxy has to know of a search. Whatever it does not
// name goes to the nodes as the client wrote it.
type searchParams struct {
	spec     merge.SearchSpec
	filter   []byte // raw, nil when absent
	retrieve []byte // attributesToRetrieve, raw, nil when absent
	words    bool   // there is something to search for
	sorted   bool
	semantic bool
	// distinctToo is retrieved from legs beyond what the client retrieves.
	distinctToo string
	odd         bool // something is not of its type: a node will say so
}

// replaced are the members that legs are sent our own values of.
var replaced = []string{
	"offset", "limit", "page", "hitsPerPage", "filter", "attributesToRetrieve", "showRankingScoreDetails",
}

func isReplaced(key []byte) bool {
	return slices.ContainsFunc(replaced, func(name string) bool { return rawjson.KeyEquals(key, name) })
}

// parseSearch reads what matters of a search body, which is valid JSON.
func parseSearch(body []byte, iv *indexView) searchParams {
	p := searchParams{spec: merge.SearchSpec{
		Limit: 20, Page: 1, HitsPerPage: 20, MaxTotalHits: iv.settings.Pagination.MaxTotalHits,
		FacetOrder: iv.facetOrder, MaxValuesPerFacet: iv.settings.Faceting.MaxValuesPerFacet,
		Strip: iv.hidden, HiddenSorts: iv.hidden,
	}}
	if iv.settings.DistinctAttribute != nil {
		p.spec.Distinct = *iv.settings.DistinctAttribute
	}
	err := rawjson.EachMember(body, func(key, value []byte) bool {
		name, err := rawjson.Unquote(key)
		if err == nil && string(value) != "null" {
			p.member(name, value)
		}
		return true
	})
	p.odd = p.odd || err != nil
	p.seeDistinct()
	return p
}

// seeDistinct makes sure that legs show the values that hits are made distinct
// by, although the client may not want to see them.
func (p *searchParams) seeDistinct() {
	if p.odd || p.spec.Distinct == "" || p.retrieve == nil {
		return
	}
	top, _, _ := strings.Cut(p.spec.Distinct, ".")
	shown, neighbour := false, false
	_ = rawjson.EachElement(p.retrieve, func(v []byte) bool {
		text, err := rawjson.AppendUnquoted(nil, v)
		p.odd = p.odd || err != nil
		name := string(text)
		shown = shown || name == "*" || name == p.spec.Distinct || strings.HasPrefix(p.spec.Distinct, name+".")
		neighbour = neighbour || strings.HasPrefix(name, top+".")
		return true
	}) // the list is part of valid JSON
	if shown {
		return
	}
	p.distinctToo = p.spec.Distinct
	if !neighbour {
		p.spec.Strip = append(slices.Clone(p.spec.Strip), top)
	}
}

func (p *searchParams) member(name string, value []byte) {
	switch name {
	case "offset":
		p.count(value, &p.spec.Offset)
	case "limit":
		p.count(value, &p.spec.Limit)
	case "page":
		p.spec.PageMode = true
		p.count(value, &p.spec.Page)
	case "hitsPerPage":
		p.spec.PageMode = true
		p.count(value, &p.spec.HitsPerPage)
	case "filter":
		p.filter = value
	case "attributesToRetrieve":
		p.retrieve = value
		p.odd = p.odd || value[0] != '['
	case "q":
		p.words = value[0] == '"' && strings.TrimSpace(string(value[1:len(value)-1])) != ""
	case "sort":
		p.sorted = value[0] == '[' && string(value) != "[]"
	case "facets":
		p.spec.HasFacets = value[0] == '['
	case "vector", "hybrid":
		p.semantic = true
		p.spec.SemanticHits = true
	case "showRankingScore":
		p.spec.ShowRankingScore = string(value) == "true"
	case "showRankingScoreDetails":
		p.spec.ShowRankingScoreDetails = string(value) == "true"
	case "distinct":
		text, err := rawjson.AppendUnquoted(nil, value)
		p.odd = p.odd || err != nil
		p.spec.Distinct = string(text)
	}
}

func (p *searchParams) count(value []byte, into *int) {
	n, ok := rawjson.ParseInt(value)
	if !ok || n < 0 {
		p.odd = true
		return
	}
	*into = int(n)
}

func (j *searchJob) scatters() []scatter { return []scatter{j} }
func (j *searchJob) index() *indexView   { return j.iv }

// need is less than all shards where only some can hold a hit.
func (j *searchJob) need() topology.ShardSet {
	if j.byKey {
		return j.keyed
	}
	return j.iv.table.All()
}

func (j *searchJob) path() string { return "/indexes/" + j.iv.row.ID + "/search" }

func (j *searchJob) original(refuser topology.NodeIndex) (topology.NodeIndex, *nodeclient.Request) {
	return refuser, j.asked()
}

// asked is the search as the client wrote it.
func (j *searchJob) asked() *nodeclient.Request {
	return jsonCall(http.MethodPost, j.path(), j.body)
}

// request builds a leg's search. A leg that is asked alone needs nothing beyond
// what the client asked for; legs that are merged need enough hits, and what
// orders them.
func (j *searchJob) request(leg topology.Leg, alone bool) (*nodeclient.Request, error) {
	if alone && (!leg.Filtered || j.byKey) || j.p.odd {
		return j.asked(), nil
	}
	body := make([]byte, 0, len(j.body)+256)
	body = append(body, '{')
	if leg.Filtered || j.p.filter != nil {
		body = j.appendFilter(append(body, `"filter":`...), leg)
		body = append(body, ',')
	}
	if alone {
		return j.finishBody(body, func(key []byte) bool { return rawjson.KeyEquals(key, "filter") }), nil
	}
	if j.p.retrieve != nil {
		body = append(body, `"attributesToRetrieve":`...)
		body = append(body, j.p.retrieve[:len(j.p.retrieve)-1]...)
		if strings.TrimSpace(string(j.p.retrieve[1:len(j.p.retrieve)-1])) != "" {
			body = append(body, ',')
		}
		if j.p.distinctToo != "" {
			body = append(rawjson.AppendString(body, j.p.distinctToo), ',')
		}
		body = append(body, `"`+topology.SeqField+`"],`...)
	}
	if j.ordered() {
		body = append(body, `"showRankingScoreDetails":true,`...)
	}
	depth := j.p.spec.Depth()
	if j.p.spec.PageMode {
		body = append(body, `"page":1,"hitsPerPage":`...)
		depth = max(depth, 1)
	} else {
		body = append(body, `"limit":`...)
	}
	body = strconv.AppendInt(body, int64(depth), 10)
	body = append(body, ',')
	return j.finishBody(body, isReplaced), nil
}

// finishBody appends the client's members that are not dropped.
func (j *searchJob) finishBody(body []byte, drop func(key []byte) bool) *nodeclient.Request {
	at := len(body) - 1 // the brace, or the comma behind our last member
	first := len(body) == 1
	head := body[at]
	body = rawjson.Remove(body[:at], j.body, drop)
	rest := body[at:]
	if rawjson.SkipSpace(rest, 1) == len(rest)-1 || string(rest) == "{}" {
		// The client's members are all gone.
		body = append(body[:at], '}')
		if first {
			body = append(body[:0], "{}"...)
		}
		return jsonCall(http.MethodPost, j.path(), body)
	}
	body[at] = head
	return jsonCall(http.MethodPost, j.path(), body)
}

// ordered reports whether hits have an order beyond that of insertion.
func (j *searchJob) ordered() bool {
	return j.p.words || j.p.sorted || j.p.semantic || j.iv.customRules || j.p.spec.ShowRankingScoreDetails
}

// appendFilter appends the client's filter and, where a node holds more than it
// is asked for, the shard clause: one more element of the outer list, which is
// a conjunction.
func (j *searchJob) appendFilter(dst []byte, leg topology.Leg) []byte {
	return appendShardFilter(dst, j.p.filter, leg)
}

func appendShardFilter(dst, filter []byte, leg topology.Leg) []byte {
	if !leg.Filtered {
		return append(dst, filter...)
	}
	clause := string(topology.AppendFilter(nil, leg.Shards))
	dst = append(dst, '[')
	switch {
	case filter == nil:
	case filter[0] == '[':
		if inner := strings.TrimSpace(string(filter[1 : len(filter)-1])); inner != "" {
			dst = append(append(dst, inner...), ',')
		}
	default:
		dst = append(append(dst, filter...), ',')
	}
	return append(rawjson.AppendString(dst, clause), ']')
}

func (j *searchJob) join(in []gathered) (outcome, error) {
	bodies := in[0].bodies
	spec := j.p.spec
	spec.CapTotals = in[0].version.capsTotals()
	if len(bodies) > 0 {
		if _, has := rawjson.Get(bodies[0], "requestUid"); has {
			if id, err := uuid.NewV7(); err == nil {
				spec.RequestUID = id.String()
			}
		}
	}
	if j.metadata {
		spec.Metadata = j.describe()
	}
	size := 256
	for _, b := range bodies {
		size += len(b)
	}
	if in[0].alone && len(bodies) == 1 {
		return answered(merge.StripSearch(make([]byte, 0, size), &spec, bodies[0]))
	}
	return answered(merge.Search(make([]byte, 0, size), &spec, bodies))
}

// searchMetadata is the metadata member of an answer, in Meilisearch's order.
type searchMetadata struct {
	Query      json.RawMessage `json:"query,omitempty"`
	QueryUID   string          `json:"queryUid"`
	IndexUID   string          `json:"indexUid"`
	PrimaryKey string          `json:"primaryKey,omitempty"`
}

func (j *searchJob) describe() []byte {
	m := searchMetadata{IndexUID: j.iv.row.UID, PrimaryKey: j.iv.row.PrimaryKey}
	if q, ok := rawjson.Get(j.body, "q"); ok && string(q) != "null" {
		m.Query = q
	}
	if id, err := uuid.NewV7(); err == nil {
		m.QueryUID = id.String()
	}
	return mustJSON(m)
}
