package actors

import (
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/miroir-search/miroir/api"
	"github.com/miroir-search/miroir/merge"
	"github.com/miroir-search/miroir/nodeclient"
	"github.com/miroir-search/miroir/rawjson"
	"github.com/miroir-search/miroir/topology"
)

// documentJob gets one document from an owner of its shard.
type documentJob struct {
	iv    *indexView
	id    string
	query string
	shard topology.ShardSet
}

func newDocumentJob(iv *indexView, id string, query url.Values) *documentJob {
	j := &documentJob{iv: iv, id: id}
	if len(query) > 0 {
		j.query = "?" + query.Encode()
	}
	j.shard = topology.ShardSetOf(iv.table.Shards(), topology.ShardOf([]byte(id), iv.table.Shards()))
	return j
}

func (j *documentJob) scatters() []scatter     { return []scatter{j} }
func (j *documentJob) index() *indexView       { return j.iv }
func (j *documentJob) need() topology.ShardSet { return j.shard }

func (j *documentJob) original(refuser topology.NodeIndex) (topology.NodeIndex, *nodeclient.Request) {
	return refuser, nil
}

func (j *documentJob) request(topology.Leg, bool) (*nodeclient.Request, error) {
	return &nodeclient.Request{
		Method: http.MethodGet, Path: "/indexes/" + j.iv.row.ID + "/documents/" + url.PathEscape(j.id) + j.query,
	}, nil
}

func (j *documentJob) join(in []gathered) (outcome, error) {
	doc := in[0].bodies[0]
	return answered(merge.StripDocument(make([]byte, 0, len(doc)), doc), nil)
}

// browseJob lists documents.
type browseJob struct {
	iv    *indexView
	body  []byte
	query string // the client's own, when isGet
	isGet bool

	spec   merge.DocumentsSpec
	filter []byte
	fields []byte
	sort   []byte
	geo    bool
	odd    bool
	ids    []string // nil: not asked for by id
	keyed  topology.ShardSet
	byKey  bool
}

func newBrowseJob(iv *indexView, body []byte, query string, isGet bool) (*browseJob, *api.Error) {
	j := &browseJob{iv: iv, body: body, query: query, isGet: isGet, spec: merge.DocumentsSpec{Limit: 20}}
	err := rawjson.EachMember(body, func(key, value []byte) bool {
		name, err := rawjson.Unquote(key)
		if err == nil && string(value) != "null" {
			j.member(name, value)
		}
		return true
	})
	j.odd = j.odd || err != nil
	if j.geo && !j.odd {
		return nil, api.NewError("miroir_not_supported",
			"Miroir cannot list documents by distance over several shards yet. Use a search with an empty query and the same sort.")
	}
	j.findKeys()
	return j, nil
}

// findKeys narrows the read to the shards that can hold what is listed.
func (j *browseJob) findKeys() {
	if j.odd {
		return
	}
	shards := j.iv.table.Shards()
	j.keyed, j.byKey = keyShards(j.filter, j.iv.row.PrimaryKey, shards)
	if j.ids == nil {
		return
	}
	set := shardsOf(j.ids, shards)
	if j.byKey {
		set = set.And(j.keyed)
	}
	if set.Empty() {
		set.Add(0) // somebody has to say that there is nothing
	}
	j.keyed, j.byKey = set, true
}

func (j *browseJob) member(name string, value []byte) {
	count := func(into *int) {
		n, ok := rawjson.ParseInt(value)
		j.odd = j.odd || !ok || n < 0
		*into = int(n)
	}
	switch name {
	case "offset":
		count(&j.spec.Offset)
	case "limit":
		count(&j.spec.Limit)
	case "filter":
		j.filter = value
	case "ids":
		j.readIDs(value)
	case "fields":
		j.fields = value
		j.odd = j.odd || value[0] != '['
	case "sort":
		j.sort = value
		j.readSort(value)
	}
}

// readIDs reads the ids that are asked for; a node has the words for what cannot
// be one.
func (j *browseJob) readIDs(value []byte) {
	list, err := api.ParseJSON(value)
	if err != nil || list.Kind != api.Array {
		j.odd = true
		return
	}
	j.ids = make([]string, len(list.Arr))
	for i := range list.Arr {
		id, ok := list.Arr[i].DocumentID()
		j.odd = j.odd || !ok
		j.ids[i] = id
	}
}

// readSort reads the "field:asc" entries that the merge has to follow.
func (j *browseJob) readSort(value []byte) {
	err := rawjson.EachElement(value, func(v []byte) bool {
		text, err := rawjson.AppendUnquoted(nil, v)
		rule := string(text)
		field, isRule := customRule(rule)
		switch {
		case err != nil || !isRule:
			j.odd = true
		case strings.HasPrefix(rule, "_geoPoint("):
			j.geo = true
		default:
			j.spec.Sort = append(j.spec.Sort, merge.SortField{Field: field, Desc: strings.HasSuffix(rule, ":desc")})
		}
		return true
	})
	j.odd = j.odd || err != nil
}

func (j *browseJob) scatters() []scatter { return []scatter{j} }
func (j *browseJob) index() *indexView   { return j.iv }

func (j *browseJob) need() topology.ShardSet {
	if j.byKey {
		return j.keyed
	}
	return j.iv.table.All()
}

func (j *browseJob) path() string { return "/indexes/" + j.iv.row.ID + "/documents" }

func (j *browseJob) original(refuser topology.NodeIndex) (topology.NodeIndex, *nodeclient.Request) {
	return refuser, j.asked()
}

// asked is the listing as the client wrote it.
func (j *browseJob) asked() *nodeclient.Request {
	if j.isGet {
		path := j.path()
		if j.query != "" {
			path += "?" + j.query
		}
		return &nodeclient.Request{Method: http.MethodGet, Path: path}
	}
	return jsonCall(http.MethodPost, j.path()+"/fetch", j.body)
}

var browseReplaced = map[string]bool{"offset": true, "limit": true, "filter": true, "fields": true}

func (j *browseJob) request(leg topology.Leg, alone bool) (*nodeclient.Request, error) {
	switch {
	case j.odd:
		return j.asked(), nil
	case alone && leg.Filtered && !j.byKey:
		filter := appendShardFilter([]byte(`"filter":`), j.filter, leg)
		body := rawjson.Remove(nil, j.body, func(key []byte) bool { return rawjson.KeyEquals(key, "filter") })
		return jsonCall(http.MethodPost, j.path()+"/fetch", rawjson.AppendMembers(nil, body, filter)), nil
	case alone:
		return j.asked(), nil
	}
	body := rawjson.Remove(nil, j.body, func(key []byte) bool {
		name, err := rawjson.Unquote(key)
		return err == nil && browseReplaced[name]
	})
	depth := int64(j.spec.Offset) + int64(j.spec.Limit)
	if depth < 0 {
		depth = math.MaxInt64
	}
	members := strconv.AppendInt([]byte(`"limit":`), depth, 10)
	if leg.Filtered || j.filter != nil {
		members = appendShardFilter(append(members, `,"filter":`...), j.filter, leg)
	}
	if j.fields != nil {
		members = append(members, `,"fields":`...)
		members = append(members, j.fields[:len(j.fields)-1]...)
		if strings.TrimSpace(string(j.fields[1:len(j.fields)-1])) != "" {
			members = append(members, ',')
		}
		members = append(members, `"`+topology.SeqField+`"`...)
		for _, s := range j.added() {
			members = rawjson.AppendString(append(members, ','), s)
		}
		members = append(members, ']')
	}
	return jsonCall(http.MethodPost, j.path()+"/fetch", rawjson.AppendMembers(nil, body, members)), nil
}

// added lists the sort fields that the client did not ask to see.
func (j *browseJob) added() []string {
	if j.fields == nil {
		return nil
	}
	asked := map[string]bool{}
	_ = rawjson.EachElement(j.fields, func(v []byte) bool {
		if text, err := rawjson.AppendUnquoted(nil, v); err == nil {
			asked[string(text)] = true
		}
		return true
	}) // a list that cannot be read is odd and was not changed
	if asked["*"] {
		return nil
	}
	var add []string
	for _, s := range j.spec.Sort {
		if !asked[s.Field] {
			add = append(add, s.Field)
		}
	}
	return add
}

func (j *browseJob) join(in []gathered) (outcome, error) {
	if bodies := in[0].bodies; in[0].alone && len(bodies) == 1 {
		return answered(merge.StripDocuments(make([]byte, 0, len(bodies[0])), bodies[0]))
	}
	spec := j.spec
	spec.Strip = j.added()
	return answered(merge.Documents(nil, &spec, in[0].bodies))
}
