package actors

import (
	"slices"
	"strings"

	"github.com/miroir-search/miroir/nodeclient"
	"github.com/miroir-search/miroir/rawjson"
	"github.com/miroir-search/miroir/topology"
)

// A node refuses to sort by distance while none of its documents has ever had a
// place. Others may have such documents; its own come behind them, in the order
// of the other sorts. When no node knows of a place, the refusal is right.

// again asks a node that knows of no place without the sorts by distance.
func (j *browseJob) again(leg topology.Leg, resp *nodeclient.Response) *nodeclient.Request {
	if !j.placed || j.odd || j.away[leg.Node] || errorCode(resp.Body) != "invalid_document_sort" ||
		!slices.Contains(j.iv.settings.SortableAttributes, "_geo") {
		return nil
	}
	if j.away == nil {
		j.away = map[topology.NodeIndex]bool{}
	}
	j.away[leg.Node] = true
	req, err := j.request(leg, false)
	if err != nil {
		return nil
	}
	return j.withoutPlaces(leg, req)
}

// again is browseJob.again for the stretch that is looked at.
func (j *locateJob) again(leg topology.Leg, resp *nodeclient.Response) *nodeclient.Request {
	if j.browseJob.again(leg, resp) == nil {
		return nil
	}
	req, err := j.request(leg, false)
	if err != nil {
		return nil
	}
	return req
}

// withoutPlaces takes the sorts by distance out of a request to a node that
// knows of no place.
func (j *browseJob) withoutPlaces(leg topology.Leg, req *nodeclient.Request) *nodeclient.Request {
	if !j.away[leg.Node] {
		return req
	}
	sorts := []byte{'['}
	list, _ := rawjson.Get(req.Body, "sort")
	_ = rawjson.EachElement(list, func(v []byte) bool { // it has been read before
		if text, err := rawjson.AppendUnquoted(nil, v); err == nil && !strings.HasPrefix(string(text), "_geoPoint(") {
			if len(sorts) > 1 {
				sorts = append(sorts, ',')
			}
			sorts = append(sorts, v...)
		}
		return true
	})
	req.Body = rawjson.Set(nil, req.Body, "sort", append(sorts, ']'))
	return req
}

// nobody reports whether no node that was asked knows of a place.
func (j *browseJob) nobody(in gathered) bool {
	for _, n := range in.nodes {
		if !j.away[n] {
			return false
		}
	}
	return j.placed && len(in.nodes) > 0
}
