package actors

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"strconv"

	"github.com/miroir-search/miroir/api"
	"github.com/miroir-search/miroir/merge"
	"github.com/miroir-search/miroir/nodeclient"
	"github.com/miroir-search/miroir/rawjson"
	"github.com/miroir-search/miroir/topology"
)

// ask is a scatter made of functions.
type ask struct {
	iv     *indexView
	shards topology.ShardSet
	build  func(leg topology.Leg, alone bool) *nodeclient.Request
	words  func(refuser topology.NodeIndex) (topology.NodeIndex, *nodeclient.Request)
}

func (a *ask) index() *indexView       { return a.iv }
func (a *ask) need() topology.ShardSet { return a.shards }

func (a *ask) request(leg topology.Leg, alone bool) (*nodeclient.Request, error) {
	return a.build(leg, alone), nil
}

func (a *ask) original(refuser topology.NodeIndex) (topology.NodeIndex, *nodeclient.Request) {
	return a.words(refuser)
}

// similarJob lists the documents that are like one: its first round gets the
// vectors of that one, the second searches by them. A node that holds
// everything is asked as the client asks.
type similarJob struct {
	iv    *indexView
	body  []byte // the client's, valid JSON
	shard topology.ShardSet
	whole bool // one node holds everything

	q        *api.SimilarQuery
	id       string
	filter   []byte // raw, nil when absent
	retrieve []byte
	spec     merge.SimilarSpec
}

func (c *Cluster) newSimilarJob(iv *indexView, body []byte) readJob {
	j := &similarJob{iv: iv, body: body}
	v, err := api.ParseJSON(body)
	q, bad := api.DecodeSimilar(v)
	if err != nil || bad != nil {
		return j.replay() // a node will say what is wrong
	}
	id, ok := q.ID.DocumentID()
	j.q, j.id = q, id
	j.shard = j.owning()
	if _, known := iv.settings.Embedders[q.Embedder]; !ok || !known {
		return j.replay()
	}
	j.filter, j.retrieve = member(body, "filter"), member(body, "attributesToRetrieve")
	j.spec = merge.SimilarSpec{
		ID: rawjson.AppendString(nil, id), Offset: q.Offset, Limit: q.Limit, Threshold: q.RankingScoreThreshold,
		MaxTotalHits: iv.settings.Pagination.MaxTotalHits, Strip: iv.hidden, Performance: q.ShowPerformanceDetails,
		ShowRankingScore: q.ShowRankingScore, ShowRankingScoreDetails: q.ShowRankingScoreDetails,
	}
	cover := c.cover(iv, iv.table.All(), 0)
	if j.whole = len(cover.Legs) == 1 && !cover.Legs[0].Filtered; j.whole {
		j.shard = iv.table.All()
	}
	return j
}

// owning is the shard of the target.
func (j *similarJob) owning() topology.ShardSet {
	return topology.ShardSetOf(j.iv.table.Shards(), topology.ShardOf([]byte(j.id), j.iv.table.Shards()))
}

// member is the raw value of a body's member; nil when it is absent or null.
func member(body []byte, name string) []byte {
	v, ok := rawjson.Get(body, name)
	if !ok || string(v) == "null" {
		return nil
	}
	return v
}

func (j *similarJob) path(route string) string { return "/indexes/" + j.iv.row.ID + route }

// asked is the request as the client wrote it.
func (j *similarJob) asked() *nodeclient.Request {
	return jsonCall(http.MethodPost, j.path("/similar"), j.body)
}

// replay lets a node that would hold the target say what is wrong.
func (j *similarJob) replay() readJob {
	shard := j.shard
	if shard.Empty() {
		shard = topology.ShardSetOf(j.iv.table.Shards(), 0)
	}
	return &replayJob{iv: j.iv, shard: shard, req: j.asked(), shown: j.strip}
}

func (j *similarJob) strip(body []byte) ([]byte, error) {
	return merge.StripSearch(make([]byte, 0, len(body)), &merge.SearchSpec{
		ShowRankingScore: j.spec.ShowRankingScore, ShowRankingScoreDetails: j.spec.ShowRankingScoreDetails, Strip: j.spec.Strip,
	}, body)
}

func (j *similarJob) words(refuser topology.NodeIndex) (topology.NodeIndex, *nodeclient.Request) {
	return refuser, j.asked()
}

func (j *similarJob) scatters() []scatter {
	out := []scatter{&ask{iv: j.iv, shards: j.shard, words: j.words, build: func(leg topology.Leg, alone bool) *nodeclient.Request {
		if j.whole && alone && !leg.Filtered {
			return j.asked()
		}
		return j.fetch(leg, nil, `,"retrieveVectors":true,"limit":1`)
	}}}
	if j.filter != nil && !j.whole {
		out = append(out, &ask{iv: j.iv, shards: j.shard, words: j.words, build: func(leg topology.Leg, _ bool) *nodeclient.Request {
			return j.fetch(leg, j.filter, `,"limit":0`)
		}})
	}
	return out
}

// fetch asks for the target, if a filter matches it.
func (j *similarJob) fetch(leg topology.Leg, filter []byte, more string) *nodeclient.Request {
	body := append(rawjson.AppendString([]byte(`{"ids":[`), j.id), ']')
	body = append(body, more...)
	if filter != nil || leg.Filtered {
		body = appendShardFilter(append(body, `,"filter":`...), filter, leg)
	}
	return jsonCall(http.MethodPost, j.path("/documents/fetch"), append(body, '}'))
}

func (j *similarJob) join(in []gathered) (outcome, error) {
	if j.whole && in[0].alone {
		if _, ok := rawjson.Get(in[0].bodies[0], "hits"); ok {
			return answered(j.strip(in[0].bodies[0]))
		}
	}
	if j.whole && j.filter != nil { // other nodes were asked than was planned, and the filter was not
		again := *j
		again.whole, again.shard = false, again.owning()
		return outcome{next: &again}, nil
	}
	for i, body := range in[0].bodies {
		results, _ := rawjson.Get(body, "results")
		var doc []byte
		if err := rawjson.EachElement(results, func(v []byte) bool { doc = v; return false }); err != nil {
			return outcome{}, err
		}
		if doc != nil {
			return j.search(doc, in, in[0].nodes[i]).outcome(), nil
		}
	}
	return outcome{next: j.replay()}, nil
}

// search is the round that searches by the target's vectors.
func (j *similarJob) search(target []byte, in []gathered, owner topology.NodeIndex) *similarSearch {
	s := &similarSearch{similarJob: j, owner: owner}
	s.spec.TargetCounted = true
	if len(in) > 1 {
		s.spec.TargetCounted = slices.ContainsFunc(in[1].bodies, func(body []byte) bool {
			total, _ := rawjson.Get(body, "total")
			return string(total) == "1"
		})
	}
	if seq, ok := rawjson.Get(target, topology.SeqField); ok {
		s.spec.Target, _ = rawjson.AppendUnquoted(nil, seq) // ours, so it is a string
	}
	all, _ := rawjson.Get(target, "_vectors")
	mine, _ := rawjson.Get(all, j.q.Embedder)
	list, _ := rawjson.Get(mine, "embeddings")
	_ = rawjson.EachElement(list, func(v []byte) bool {
		if s.targets = append(s.targets, v); v[0] != '[' { // one embedding, not in a list of its own
			s.targets = [][]byte{list}
		}
		return v[0] == '['
	}) // a part of a valid answer
	return s
}

// maxTargetVectors is how many vectors of a document are searched by: each takes
// a search of the whole index.
const maxTargetVectors = 64

// outcome is the round, or why there is none.
func (s *similarSearch) outcome() outcome {
	if n := len(s.targets); n > maxTargetVectors {
		return outcome{refused: api.NewError(api.CodeNotSupported, fmt.Sprintf(
			"Document `%s` has %d vectors of embedder `%s`. Documents similar to one with more than %d vectors are not found while several nodes hold the index.",
			s.id, n, s.q.Embedder, maxTargetVectors))}
	}
	return outcome{next: s}
}

// similarSearch is the second round.
type similarSearch struct {
	*similarJob
	owner   topology.NodeIndex // of the target
	targets [][]byte           // its vectors
}

func (s *similarSearch) scatters() []scatter {
	words := func(topology.NodeIndex) (topology.NodeIndex, *nodeclient.Request) { return s.owner, s.asked() }
	out := make([]scatter, 0, max(len(s.targets), 1))
	for i := range max(len(s.targets), 1) {
		var vector []byte
		if i < len(s.targets) {
			vector = s.targets[i]
		}
		out = append(out, &ask{iv: s.iv, shards: s.iv.table.All(), words: words,
			build: func(leg topology.Leg, _ bool) *nodeclient.Request { return s.near(leg, vector) }})
	}
	return out
}

// near is a leg's search for what is near a vector. Without one nothing is, but
// the documents are counted.
func (s *similarSearch) near(leg topology.Leg, vector []byte) *nodeclient.Request {
	body := []byte(`{"limit":0`)
	if vector != nil {
		body = strconv.AppendInt(body[:len(body)-1], int64(merge.SaturatingAdd(merge.SaturatingAdd(s.spec.Offset, s.spec.Limit), 1)), 10)
		body = append(append(body, `,"showRankingScoreDetails":true,"vector":`...), vector...)
		body = append(body, `,"hybrid":{"semanticRatio":1,"embedder":`...)
		body = append(rawjson.AppendString(body, s.q.Embedder), '}')
	}
	if s.filter != nil || leg.Filtered {
		body = appendShardFilter(append(body, `,"filter":`...), s.filter, leg)
	}
	if s.retrieve != nil {
		body = append(body, `,"attributesToRetrieve":`...)
		body = append(body, bytes.TrimRight(s.retrieve[:len(s.retrieve)-1], " \t\r\n")...)
		if body[len(body)-1] != '[' {
			body = append(body, ',')
		}
		body = append(body, `"`+topology.SeqField+`"]`...)
	}
	for _, flag := range []struct {
		name string
		set  bool
	}{{"retrieveVectors", s.q.RetrieveVectors}, {"showRankingScore", s.spec.ShowRankingScore}, {"showPerformanceDetails", s.spec.Performance}} {
		if flag.set {
			body = append(append(append(body, `,"`...), flag.name...), `":true`...)
		}
	}
	return jsonCall(http.MethodPost, s.path("/search"), append(body, '}'))
}

func (s *similarSearch) join(in []gathered) (outcome, error) {
	lists := make([][][]byte, len(in))
	for i := range in {
		lists[i] = in[i].bodies
	}
	return answered(merge.Similar(nil, &s.spec, lists))
}
