package actors

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/miroir-search/miroir/nodeclient"
	"github.com/miroir-search/miroir/rawjson"
	"github.com/miroir-search/miroir/topology"
	"github.com/miroir-search/miroir/weaken"
)

// replaced are the members that legs are sent our own values of.
var replaced = []string{
	"offset", "limit", "page", "hitsPerPage", "filter", "attributesToRetrieve", "showRankingScoreDetails",
}

// variant is how the searches of one round differ from what the client asks.
type variant struct {
	// depth is how many hits a leg is asked for.
	depth int
	// less are members of the client's that are left out, more what is sent in
	// their place, a comma behind each.
	less []string
	more string
}

func (v *variant) replaces(key []byte) bool {
	named := func(name string) bool { return rawjson.KeyEquals(key, name) }
	return slices.ContainsFunc(replaced, named) || slices.ContainsFunc(v.less, named)
}

// request builds a leg's search. A leg that is asked alone needs nothing beyond
// what the client asked for; legs that are merged need enough hits, and what
// orders them.
func (j *searchJob) request(leg topology.Leg, alone bool) (*nodeclient.Request, error) {
	if alone && (!leg.Filtered || j.byKey) || j.p.odd {
		return j.asked(), nil
	}
	if alone {
		body := append(j.appendFilter(make([]byte, 0, len(j.body)+256), leg), ',')
		return j.finishBody(body, func(key []byte) bool { return rawjson.KeyEquals(key, "filter") }), nil
	}
	return j.varied(leg, &variant{depth: j.p.spec.Depth()}), nil
}

// varied is a leg's search among others that it is merged with.
func (j *searchJob) varied(leg topology.Leg, v *variant) *nodeclient.Request {
	if j.p.odd {
		return j.asked()
	}
	body := make([]byte, 0, len(j.body)+256)
	if leg.Filtered || j.p.filter != nil {
		body = append(j.appendFilter(body, leg), ',')
	} else {
		body = append(body, '{')
	}
	if j.p.retrieve != nil {
		body = append(j.p.appendRetrieve(body), ',')
	}
	if j.ordered() {
		body = append(body, `"showRankingScoreDetails":true,`...)
		if weaken.Details && !j.p.spec.ShowRankingScore {
			body = append(body, `"showRankingScore":true,`...)
		}
	}
	body = append(body, v.more...)
	depth := v.depth
	switch {
	case !j.p.spec.PageMode:
		body = append(body, `"limit":`...)
	case depth == 0: // a node must not look for any hit
		body = append(body, `"page":0,"hitsPerPage":`...)
		depth = 1
	default:
		body = append(body, `"page":1,"hitsPerPage":`...)
	}
	body = strconv.AppendInt(body, int64(depth), 10)
	body = append(body, ',')
	return j.finishBody(body, v.replaces)
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

// appendRetrieve appends the member attributesToRetrieve: the client's list, and
// what hits are merged by.
func (p *searchParams) appendRetrieve(dst []byte) []byte {
	list := p.retrieve[:len(p.retrieve)-1]
	dst = append(append(dst, `"attributesToRetrieve":`...), list...)
	if strings.TrimSpace(string(list[1:])) != "" {
		dst = append(dst, ',')
	}
	if p.distinctToo != "" {
		dst = append(rawjson.AppendString(dst, p.distinctToo), ',')
	}
	return append(dst, `"`+topology.SeqField+`"]`...)
}

// ordered reports whether hits have an order beyond that of insertion.
func (j *searchJob) ordered() bool {
	return j.p.words || j.p.sorted || j.p.kind != byWords || j.iv.customRules || j.p.spec.ShowRankingScoreDetails
}

// appendFilter appends the client's filter and, where a node holds more than it
// is asked for, the shard clause: one more element of the outer list, which is
// a conjunction.
func (j *searchJob) appendFilter(dst []byte, leg topology.Leg) []byte {
	return appendShardFilter(append(dst, `{"filter":`...), j.p.filter, leg)
}

func appendShardFilter(dst, filter []byte, leg topology.Leg) []byte {
	if weaken.Shards && filter == nil {
		filter = []byte("null")
	}
	if !leg.Filtered || weaken.Shards {
		return append(dst, filter...)
	}
	return appendClause(dst, filter, string(topology.AppendFilter(nil, leg.Shards)))
}

// appendClause appends a filter with one more condition.
func appendClause(dst, filter []byte, clause string) []byte {
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
