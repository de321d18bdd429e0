package http

import (
	"errors"
	"net/http"
	"path/filepath"

	"github.com/miroir-search/miroir/api"
	"github.com/miroir-search/miroir/messages"
	"github.com/miroir-search/miroir/store"
)

func (s *Server) backupRoutes() {
	s.route(http.MethodPost, "/dumps", ActionDumpsCreate, func(c *call) error { return makeBackup(c, false) })
	s.route(http.MethodPost, "/snapshots", ActionSnapshots, func(c *call) error { return makeBackup(c, true) })
	s.free(http.MethodPost, "/admin/backup", ActionAdmin, backUpStore)
}

// makeBackup takes no body; what is sent is not looked at, as in Meilisearch.
func makeBackup(c *call, snapshot bool) error {
	options, err := c.writeOptions(nil)
	if err != nil {
		return err
	}
	return c.change(&messages.MakeBackup{Snapshot: snapshot, WriteOptions: options})
}

// backUpStore copies Miroir's own store, not the nodes, into a directory on its
// machine.
func backUpStore(c *call) error {
	v, err := c.jsonValue()
	if err != nil {
		return err
	}
	var dir string
	if bad := api.DecodeObject(v, api.At{}, "bad_request", []api.Field{
		{Name: "dir", Into: api.Text("bad_request", &dir), Required: true, MissingCode: "bad_request"},
	}); bad != nil {
		return bad
	}
	if !filepath.IsAbs(dir) {
		return api.Errorf("bad_request", "`dir` must be an absolute path on the machine of Miroir, not `%s`.", dir)
	}
	if err := c.s.opts.Door.BackUpStore(c.ctx(), dir); err != nil {
		if place := (*store.BackupDirError)(nil); errors.As(err, &place) {
			return api.Errorf("bad_request", "`dir`: %v.", place)
		}
		return api.Errorf("miroir_store_unavailable", "The store was not copied: %v.", err)
	}
	return c.json(http.StatusOK, struct {
		Dir string `json:"dir"`
	}{dir})
}
