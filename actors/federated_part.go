package actors

import (
	"net/http"
	"strconv"

	"github.com/miroir-search/miroir/nodeclient"
	"github.com/miroir-search/miroir/rawjson"
	"github.com/miroir-search/miroir/topology"
)

// findKeys narrows an index to the shards that its queries leave, when each of
// them names primary keys.
func (p *federatedPart) findKeys() {
	if p.facets != nil {
		return // which facets exist is known by all nodes together
	}
	out := topology.NewShardSet(p.iv.table.Shards())
	for _, q := range p.queries {
		keyed, ok := keyShards(p.job.queries[q].p.filter, p.iv.row.PrimaryKey, p.iv.table.Shards())
		if !ok {
			return
		}
		out.AddAll(keyed)
	}
	p.keyed, p.byKey = out, true
}

func (p *federatedPart) index() *indexView { return p.iv }

func (p *federatedPart) need() topology.ShardSet {
	if p.byKey {
		return p.keyed
	}
	return p.iv.table.All()
}

// original is the whole search: which query an error is about, and which error
// comes first, shows only there.
func (p *federatedPart) original(refuser topology.NodeIndex) (topology.NodeIndex, *nodeclient.Request) {
	return refuser, jsonCall(http.MethodPost, "/multi-search", p.job.whole)
}

// request asks a node for the queries of this index.
func (p *federatedPart) request(leg topology.Leg, alone bool) (*nodeclient.Request, error) {
	j := p.job
	asIs := alone && len(j.parts) == 1
	body := []byte(`{"federation":{`)
	switch depth := j.spec.Depth(); {
	case asIs && j.spec.PageMode:
		body = strconv.AppendInt(append(body, `"page":`...), int64(j.spec.Page), 10)
		body = strconv.AppendInt(append(body, `,"hitsPerPage":`...), int64(j.spec.HitsPerPage), 10)
	case asIs:
		body = strconv.AppendInt(append(body, `"offset":`...), int64(j.spec.Offset), 10)
		body = strconv.AppendInt(append(body, `,"limit":`...), int64(j.spec.Limit), 10)
	case j.spec.PageMode:
		body = strconv.AppendInt(append(body, `"page":1,"hitsPerPage":`...), int64(depth), 10)
	default:
		body = strconv.AppendInt(append(body, `"limit":`...), int64(depth), 10)
	}
	if j.spec.Distinct != "" {
		body = rawjson.AppendString(append(body, `,"distinct":`...), j.spec.Distinct)
	}
	if p.facets != nil {
		body = rawjson.AppendString(append(body, `,"facetsByIndex":{`...), p.iv.row.ID)
		body = append(append(append(body, ':'), p.facets...), '}')
	}
	if j.performance {
		body = append(body, `,"showPerformanceDetails":true`...)
	}
	body = append(body, `},"queries":[`...)
	for i, q := range p.queries {
		if i > 0 {
			body = append(body, ',')
		}
		body = p.appendQuery(body, &j.queries[q], leg, asIs)
	}
	return jsonCall(http.MethodPost, "/multi-search", append(body, "]}"...)), nil
}

// appendQuery appends a query as a node has to be asked it.
func (p *federatedPart) appendQuery(dst []byte, q *federatedQuery, leg topology.Leg, asIs bool) []byte {
	members := rawjson.AppendString([]byte(`"indexUid":`), p.iv.row.ID)
	drop := []string{"indexUid"}
	if leg.Filtered && (!p.byKey || !asIs) {
		drop = append(drop, "filter")
		members = appendShardFilter(append(members, `,"filter":`...), q.p.filter, leg)
	}
	if !asIs {
		drop = append(drop, "showRankingScoreDetails")
		members = append(members, `,"showRankingScoreDetails":true`...)
		if q.p.retrieve != nil {
			drop = append(drop, "attributesToRetrieve")
			members = q.p.appendRetrieve(append(members, ','))
		}
	}
	rest := rawjson.Remove(nil, q.text, func(key []byte) bool {
		for _, name := range drop {
			if rawjson.KeyEquals(key, name) {
				return true
			}
		}
		return false
	})
	return rawjson.AppendMembers(dst, rest, members)
}
