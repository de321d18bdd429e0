package http

import (
	"net/http"

	"github.com/miroir-search/miroir/api"
	"github.com/miroir-search/miroir/messages"
)

func (s *Server) statsRoutes() {
	s.route(http.MethodGet, "/stats", ActionStatsGet, getStats)
	s.route(http.MethodGet, "/indexes/:index/stats", ActionStatsGet, getIndexStats)
}

// statsParameters checks the parameters of both routes. Sizes are only known as
// numbers, and what is inside a node's database is the node's own affair.
func statsParameters(c *call) error {
	internal, format := false, "raw"
	bad := api.DecodeQuery(c.query(), []api.Field{
		{Name: "showInternalDatabaseSizes", Into: api.ParamBool("invalid_stats_show_internal_database_sizes", &internal)},
		{Name: "sizeFormat", Into: api.OneOf("raw", "human")("invalid_stats_size_format", &format)},
	})
	switch {
	case bad != nil:
		return bad
	case internal:
		return notSupported("Miroir does not know the sizes inside the databases of its nodes. Leave out `showInternalDatabaseSizes`, " +
			"or ask a node itself.")
	case format != "raw":
		return notSupported("Miroir shows sizes as numbers of bytes only. Leave out `sizeFormat`, or send `sizeFormat=raw`.")
	}
	return nil
}

func getStats(c *call) error {
	if err := statsParameters(c); err != nil {
		return err
	}
	return c.ask(&messages.GetStats{Allowed: c.grant.Allowed})
}

func getIndexStats(c *call) error {
	if err := statsParameters(c); err != nil {
		return err
	}
	uid, err := c.indexUID()
	if err != nil {
		return err
	}
	return c.ask(&messages.GetIndexStats{IndexUID: uid})
}
