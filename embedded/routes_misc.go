package embedded

import (
	"time"

	"github.com/miroir-search/miroir/api"
)

func miscRoutes() []route {
	all := []route{
		{method: "GET", path: "/", handle: func(*request) (*reply, *api.Error) {
			return ok(map[string]string{"status": "Meilisearch is running"})
		}},
		{method: "GET", path: "/health", handle: func(*request) (*reply, *api.Error) { return ok(map[string]string{"status": "available"}) }},
		{method: "GET", path: "/version", action: "version", handle: getVersion},
		{method: "GET", path: "/stats", action: "stats.get", handle: getStats},
		{method: "GET", path: "/indexes/:index/stats", action: "stats.get", handle: getIndexStats},
		{method: "POST", path: "/dumps", action: "dumps.create", handle: func(r *request) (*reply, *api.Error) {
			d := &api.Details{DumpUID: api.NullOpt[string]()}
			return accepted(r.core.enqueue(api.DumpCreation, &operation{Kind: opDump}, d, nil))
		}},
		{method: "POST", path: "/snapshots", action: "snapshots.create", handle: func(r *request) (*reply, *api.Error) {
			return accepted(r.core.enqueue(api.SnapshotCreation, &operation{Kind: opSnapshot}, nil, nil))
		}},
		{method: "GET", path: "/experimental-features", action: "experimental.get", handle: getFeatures},
		{method: "PATCH", path: "/experimental-features", action: "experimental.update", handle: patchFeatures},
	}
	// what a real server has and this one does not is refused clearly, never answered with 404
	for _, x := range []struct{ method, path, action, feature, what string }{
		{"POST", "/render-template", "*", "renderRoute", "calling the /render-template route"},
	} {
		all = append(all, route{method: x.method, path: x.path, action: x.action, handle: func(r *request) (*reply, *api.Error) {
			v, err := r.readJSON()
			if err != nil {
				return nil, err
			}
			if _, sent := v.Get("template"); !sent {
				return nil, api.MissingField("bad_request", api.At{}, "template")
			}
			if err := r.core.require(x.feature, x.what); err != nil {
				return nil, err
			}
			return nil, api.NewError(api.CodeNotSupported, "an embedded node does not have the route "+x.method+" "+x.path)
		}})
	}
	return append(all, route{method: "POST", path: "/indexes/:index/fields", action: "fields.post", handle: listFields})
}

func getVersion(r *request) (*reply, *api.Error) {
	return ok(struct {
		CommitSha  string `json:"commitSha"`
		CommitDate string `json:"commitDate"`
		PkgVersion string `json:"pkgVersion"`
	}{"embedded", "unknown", r.core.opt.Version})
}

type indexStats struct {
	NumberOfDocuments         int               `json:"numberOfDocuments"`
	RawDocumentDBSize         any               `json:"rawDocumentDbSize"`
	AvgDocumentSize           any               `json:"avgDocumentSize"`
	IsIndexing                bool              `json:"isIndexing"`
	InternalDatabaseSizes     map[string]any    `json:"internalDatabaseSizes,omitempty"`
	NumberOfEmbeddings        uint64            `json:"numberOfEmbeddings"`
	NumberOfEmbeddedDocuments uint64            `json:"numberOfEmbeddedDocuments"`
	FieldDistribution         map[string]uint64 `json:"fieldDistribution"`
}

type statsParams struct {
	sizes  bool
	format string
}

func parseStats(raw string) (*statsParams, *api.Error) {
	p := &statsParams{format: "raw"}
	return p, api.DecodeQuery(raw, []api.Field{
		{Name: "showInternalDatabaseSizes", Into: api.ParamBool("invalid_stats_show_internal_database_sizes", &p.sizes)},
		{Name: "sizeFormat", Into: api.OneOf("human", "raw")("invalid_stats_size_format", &p.format)},
	})
}

func (p *statsParams) size(n uint64) any {
	if p.format == "human" {
		return humanSize(n)
	}
	return n
}

func (c *core) statsOf(x *index, p *statsParams) indexStats {
	n, size := x.engine.Len(), x.rawSize()
	avg := x.averageSize()
	vectors, documents := x.engine.Embeddings()
	c.mu.RLock()
	busy := false
	for _, uid := range c.working {
		rec := c.records[uid]
		busy = busy || rec != nil && rec.task.IndexUID != nil && *rec.task.IndexUID == x.uid
	}
	c.mu.RUnlock()
	var parts map[string]any
	if p.sizes {
		parts = map[string]any{"main": p.size(pageSize), "documents": p.size(size)}
	}
	return indexStats{n, p.size(size), p.size(avg), busy, parts, vectors, documents, x.engine.FieldDistribution()}
}

func getIndexStats(r *request) (*reply, *api.Error) {
	p, err := parseStats(r.URL.RawQuery)
	if err != nil {
		return nil, err
	}
	x, err := r.indexOf()
	if err != nil {
		return nil, err
	}
	return ok(r.core.statsOf(x, p))
}

func getStats(r *request) (*reply, *api.Error) {
	p, err := parseStats(r.URL.RawQuery)
	if err != nil {
		return nil, err
	}
	c := r.core
	out := struct {
		DatabaseSize     any                   `json:"databaseSize"`
		UsedDatabaseSize any                   `json:"usedDatabaseSize"`
		LastUpdate       *time.Time            `json:"lastUpdate"`
		Indexes          map[string]indexStats `json:"indexes"`
	}{Indexes: map[string]indexStats{}}
	total := uint64(0)
	for _, uid := range c.uids(access{}) {
		x, err := c.lookup(uid)
		if err != nil {
			continue
		}
		total += x.rawSize()
		if !r.access.allows(uid) {
			continue
		}
		out.Indexes[uid] = c.statsOf(x, p)
		if updated := x.updated; out.LastUpdate == nil || updated.After(*out.LastUpdate) {
			out.LastUpdate = &updated
		}
	}
	out.DatabaseSize, out.UsedDatabaseSize = p.size(total), p.size(total)
	return ok(out)
}

// refuseNetwork is the error of searching with useNetwork.
func (c *core) refuseNetwork() *api.Error {
	if err := c.require("network", "passing `useNetwork` in a search query"); err != nil {
		return err
	}
	return api.NewError(api.CodeNotSupported, "an embedded node does not search with `useNetwork`")
}
