package http

import (
	"maps"
	"net/http"
	"strconv"

	"github.com/miroir-search/miroir/api"
)

func (s *Server) instanceRoutes() {
	s.free(http.MethodGet, "/", ActionPublic, func(c *call) error {
		return c.bytes(http.StatusOK, []byte(`{"status":"Meilisearch is running"}`))
	})
	s.free(http.MethodGet, "/health", ActionPublic, func(c *call) error {
		return c.bytes(http.StatusOK, []byte(`{"status":"available"}`))
	})
	s.free(http.MethodGet, "/version", ActionVersion, getVersion)
	s.route(http.MethodGet, "/experimental-features", ActionExperimentalGet, getFeatures)
	s.route(http.MethodPatch, "/experimental-features", ActionExperimentalSet, patchFeatures)
}

// getVersion reports what the nodes are, because that is what decides how
// requests are understood.
func getVersion(c *call) error {
	version, sha, date := c.s.opts.Door.NodesVersion()
	return c.json(http.StatusOK, struct {
		CommitSha  string `json:"commitSha"`
		CommitDate string `json:"commitDate"`
		PkgVersion string `json:"pkgVersion"`
	}{sha, date, version})
}

func getFeatures(c *call) error {
	on, err := c.s.opts.Door.Features(c.ctx())
	if err != nil {
		return err
	}
	return c.features(on)
}

func (c *call) features(on map[string]bool) error {
	out := []byte{'{'}
	for i, f := range api.Features() {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(append(out, api.QuoteJSON(f.Key)...), ':')
		out = strconv.AppendBool(out, on[f.Key])
	}
	return c.bytes(http.StatusOK, append(out, '}'))
}

// patchFeatures changes the features that are named: all or none. Every feature can be
// turned on, so that clients find what they have set; what Miroir does not do although
// it is on is refused where it is asked for.
func patchFeatures(c *call) error {
	v, err := c.jsonValue()
	if err != nil {
		return err
	}
	all := api.Features()
	wanted := make([]*bool, len(all))
	fields := make([]api.Field, len(all))
	for i, f := range all {
		fields[i] = api.Field{Name: f.Key, Into: api.Maybe("bad_request", &wanted[i], api.Bool)}
	}
	if bad := api.DecodeObject(v, api.At{}, "bad_request", fields); bad != nil {
		return bad
	}
	c.s.featuresMu.Lock()
	defer c.s.featuresMu.Unlock()
	on, err := c.s.opts.Door.Features(c.ctx())
	if err != nil {
		return err
	}
	before := maps.Clone(on)
	for i, want := range wanted {
		if want != nil {
			on[all[i].Key] = *want
		}
	}
	if !maps.Equal(before, on) {
		if err := c.s.opts.Door.SetFeatures(c.ctx(), on); err != nil {
			return err
		}
	}
	return c.features(on)
}
