package actors

import (
	"net/http"
	"net/url"
	"slices"
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
	asks   []string // the fields the client wants to see; nil for all
	odd    bool
	ids    []string // nil: not asked for by id
	keyed  topology.ShardSet
	byKey  bool
	placed bool                        // sorted by distance
	away   map[topology.NodeIndex]bool // nodes that know of no place
}

func newBrowseJob(iv *indexView, body []byte, query string, isGet bool) *browseJob {
	j := &browseJob{iv: iv, body: body, query: query, isGet: isGet, spec: merge.DocumentsSpec{Limit: 20}}
	err := rawjson.EachMember(body, func(key, value []byte) bool {
		name, err := rawjson.Unquote(key)
		if err == nil && string(value) != "null" {
			j.member(name, value)
		}
		return true
	})
	j.odd = j.odd || err != nil
	j.findKeys()
	return j
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
		j.fields, j.asks = value, []string{}
		err := rawjson.EachElement(value, func(v []byte) bool {
			text, err := rawjson.AppendUnquoted(nil, v)
			j.asks, j.odd = append(j.asks, string(text)), j.odd || err != nil
			return true
		})
		j.odd = j.odd || err != nil
	case "sort":
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
			point, ok := merge.GeoPoint(rule)
			j.odd, j.placed = j.odd || !ok, true
			j.spec.Sort = append(j.spec.Sort, merge.SortField{Point: point, Desc: strings.HasSuffix(rule, ":desc")})
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
	return j.withoutPlaces(leg, j.page(leg)), nil
}

// refused asks a node for the words of its refusal.
func (j *browseJob) refused() outcome {
	return outcome{next: &replayJob{iv: j.iv, shard: j.need(), req: j.asked(), shown: func(body []byte) ([]byte, error) {
		return merge.StripDocuments(nil, body)
	}}}
}

// page asks a leg for its documents up to the end of the page.
func (j *browseJob) page(leg topology.Leg) *nodeclient.Request {
	body := rawjson.Remove(nil, j.body, func(key []byte) bool {
		name, err := rawjson.Unquote(key)
		return err == nil && browseReplaced[name]
	})
	depth := merge.SaturatingAdd(j.spec.Offset, j.spec.Limit)
	members := strconv.AppendInt([]byte(`"limit":`), int64(depth), 10)
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
	return jsonCall(http.MethodPost, j.path()+"/fetch", rawjson.AppendMembers(nil, body, members))
}

// sortedField is the field that a sort looks at.
func sortedField(s merge.SortField) string {
	if s.Field == "" {
		return "_geo"
	}
	return s.Field
}

// added lists the sort fields that the client did not ask to see.
func (j *browseJob) added() []string {
	if j.fields == nil {
		return nil
	}
	var add []string
	for _, s := range j.spec.Sort {
		field := sortedField(s)
		if !slices.ContainsFunc(j.asks, func(a string) bool { return a == "*" || a == field || strings.HasPrefix(field, a+".") }) {
			add = append(add, field)
		}
	}
	return add
}

// entangled reports whether a sort field that the client did not ask to see lies
// in an object of which it asked for something else.
func (j *browseJob) entangled() bool {
	for _, field := range j.added() {
		top, _, _ := strings.Cut(field, ".")
		if slices.ContainsFunc(j.asks, func(a string) bool { return strings.HasPrefix(a, top+".") }) {
			return true
		}
	}
	return false
}

func (j *browseJob) join(in []gathered) (outcome, error) {
	if j.nobody(in[0]) {
		return j.refused(), nil
	}
	if bodies := in[0].bodies; in[0].alone && len(bodies) == 1 {
		return answered(merge.StripDocuments(make([]byte, 0, len(bodies[0])), bodies[0]))
	}
	spec := j.spec
	for _, field := range j.added() {
		top, _, _ := strings.Cut(field, ".")
		spec.Strip = append(spec.Strip, field, top)
	}
	return answered(merge.Documents(nil, &spec, in[0].bodies))
}
