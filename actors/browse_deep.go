package actors

import (
	"net/http"
	"strconv"

	"github.com/miroir-search/miroir/api"
	"github.com/miroir-search/miroir/merge"
	"github.com/miroir-search/miroir/nodeclient"
	"github.com/miroir-search/miroir/rawjson"
	"github.com/miroir-search/miroir/topology"
)

// deepPage is from which depth on a page is located first and read then. Before
// it, nodes send all documents up to the page.
const deepPage = 1000

// deep reports whether the page is to be located first: because it is deep, or
// because what it is sorted by cannot be taken out of the documents again.
func (j *browseJob) deep() bool {
	depth := merge.SaturatingAdd(j.spec.Offset, j.spec.Limit)
	return !j.odd && (j.entangled() || j.spec.Offset > min(j.spec.Limit, deepPage) && depth > deepPage)
}

// legKey tells the parts of a read apart over its rounds.
type legKey struct {
	node   topology.NodeIndex
	shards string
}

func keyOf(leg topology.Leg) legKey {
	return legKey{leg.Node, string(leg.Shards.AppendList(nil, topology.MaxShards))}
}

// locateJob finds out where the documents of a page are in the lists of the
// nodes. It reads only what orders them, in stretches around where they should
// be, and asks again where that was wrong.
type locateJob struct {
	*browseJob
	windows map[legKey]merge.Window
	rounds  int
}

// maxLocateRounds is more than the stretches need to grow over any list.
const maxLocateRounds = 40

func (j *locateJob) scatters() []scatter { return []scatter{j} }

func (j *locateJob) request(leg topology.Leg, alone bool) (*nodeclient.Request, error) {
	if alone {
		return j.browseJob.request(leg, alone)
	}
	key := keyOf(leg)
	w, ok := j.windows[key]
	if !ok {
		w.From, w.Limit = merge.FirstWindow(&j.spec, float64(leg.Shards.Len())/float64(j.need().Len()))
		j.windows[key] = w
	}
	members := j.stretch(leg, w.From, w.Limit)
	members = append(members, `,"fields":["`+topology.SeqField+`"`...)
	for _, s := range j.spec.Sort {
		members = rawjson.AppendString(append(members, ','), sortedField(s))
	}
	return j.withoutPlaces(leg, j.fetch(append(members, ']'), "fields", "retrieveVectors")), nil
}

// stretch writes which of a leg's documents are wanted.
func (j *browseJob) stretch(leg topology.Leg, from, limit int) []byte {
	members := strconv.AppendInt([]byte(`"offset":`), int64(from), 10)
	members = strconv.AppendInt(append(members, `,"limit":`...), int64(limit), 10)
	if leg.Filtered || j.filter != nil {
		members = appendShardFilter(append(members, `,"filter":`...), j.filter, leg)
	}
	return members
}

// fetch is the client's request with the given members in the place of its own.
func (j *browseJob) fetch(members []byte, drop ...string) *nodeclient.Request {
	body := rawjson.Remove(nil, j.body, func(key []byte) bool {
		for _, name := range append(drop, "offset", "limit", "filter") {
			if rawjson.KeyEquals(key, name) {
				return true
			}
		}
		return false
	})
	return jsonCall(http.MethodPost, j.path()+"/fetch", rawjson.AppendMembers(nil, body, members))
}

func (j *locateJob) join(in []gathered) (outcome, error) {
	if in[0].alone {
		return j.browseJob.join(in)
	}
	if j.nobody(in[0]) {
		return j.refused(), nil
	}
	windows := make([]merge.Window, len(in[0].bodies))
	for i, body := range in[0].bodies {
		windows[i] = j.windows[keyOf(in[0].legs[i])]
		windows[i].Body = body
	}
	found, next, total, err := merge.Locate(&j.spec, windows)
	switch {
	case err != nil:
		return outcome{}, err
	case found == nil && j.rounds >= maxLocateRounds:
		return outcome{}, api.Errorf("internal", "a page was not found in %d rounds", j.rounds)
	case found == nil:
		for i, leg := range in[0].legs {
			j.windows[keyOf(leg)] = next[i]
		}
		return outcome{next: &locateJob{j.browseJob, j.windows, j.rounds + 1}}, nil
	}
	pick := &pickJob{locateJob: j, found: found, total: total, places: map[legKey]int{}, parts: make([]merge.Window, len(windows))}
	for i, leg := range in[0].legs {
		pick.places[keyOf(leg)] = i
	}
	for _, p := range found {
		w := &pick.parts[p.Leg]
		if w.Limit == 0 {
			*w = merge.Window{From: p.At, Limit: 1}
		}
		end := max(w.From+w.Limit, p.At+1)
		w.From = min(w.From, p.At)
		w.Limit = end - w.From
	}
	return outcome{next: pick}, nil
}

// pickJob reads the documents of a page from where they were located.
type pickJob struct {
	*locateJob
	found  []merge.Place
	total  int
	places map[legKey]int // of a leg in parts
	parts  []merge.Window
	lost   bool // a node failed since then, and others stand in for it
}

func (j *pickJob) scatters() []scatter { return []scatter{j} }

func (j *pickJob) request(leg topology.Leg, _ bool) (*nodeclient.Request, error) {
	var w merge.Window
	at, ok := j.places[keyOf(leg)]
	if j.lost = j.lost || !ok; ok {
		w = j.parts[at]
	}
	return j.withoutPlaces(leg, j.fetch(j.stretch(leg, w.From, w.Limit))), nil
}

func (j *pickJob) join(in []gathered) (outcome, error) {
	if j.lost && j.rounds < maxLocateRounds {
		return outcome{next: &locateJob{j.browseJob, map[legKey]merge.Window{}, j.rounds + 1}}, nil
	}
	windows := j.parts
	for i, body := range in[0].bodies {
		if at, ok := j.places[keyOf(in[0].legs[i])]; ok {
			windows[at].Body = body
		}
	}
	return answered(merge.Pick(nil, &j.spec, j.found, j.total, windows))
}
