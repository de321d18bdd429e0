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

// statsOptions reads the parameters of both routes.
func statsOptions(c *call) (o messages.StatsOptions, err error) {
	format := "raw"
	if bad := api.DecodeQuery(c.query(), []api.Field{
		{Name: "showInternalDatabaseSizes", Into: api.ParamBool("invalid_stats_show_internal_database_sizes", &o.InternalSizes)},
		{Name: "sizeFormat", Into: api.OneOf("human", "raw")("invalid_stats_size_format", &format)},
	}); bad != nil {
		return o, bad
	}
	o.HumanSizes = format == "human"
	return o, nil
}

func getStats(c *call) error {
	options, err := statsOptions(c)
	if err != nil {
		return err
	}
	return c.ask(&messages.GetStats{Allowed: c.grant.Allowed, StatsOptions: options})
}

func getIndexStats(c *call) error {
	options, err := statsOptions(c)
	if err != nil {
		return err
	}
	uid, err := c.indexUID()
	if err != nil {
		return err
	}
	return c.ask(&messages.GetIndexStats{IndexUID: uid, StatsOptions: options})
}
