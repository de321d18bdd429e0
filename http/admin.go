package http

import (
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/miroir-search/miroir/api"
	"github.com/miroir-search/miroir/messages"
	"github.com/miroir-search/miroir/store"
)

func (s *Server) adminRoutes() {
	s.free(http.MethodGet, "/_miroir/ready", ActionAdmin, func(c *call) error {
		status, body := c.s.readiness()
		return c.bytes(status, body)
	})
	s.free(http.MethodGet, "/_miroir/topology", ActionAdmin, func(c *call) error {
		return c.json(http.StatusOK, c.s.opts.Door.Topology())
	})
	s.free(http.MethodGet, "/_miroir/shards", ActionAdmin, func(c *call) error {
		return c.json(http.StatusOK, c.s.opts.Door.Shards())
	})
	metrics := s.metricsHandler()
	s.free(http.MethodGet, "/_miroir/metrics", ActionAdmin, func(c *call) error {
		c.written, c.status = true, http.StatusOK
		metrics.ServeHTTP(c.c.Response(), c.c.Request())
		return nil
	})
	s.free(http.MethodGet, "/_miroir/tasks", ActionAdmin, listTasks)
	s.free(http.MethodGet, "/_miroir/tasks/:task", ActionAdmin, getTaskParts)
	s.free(http.MethodGet, "/admin/stats", ActionAdmin, adminStats)
	if s.opts.Nodes != nil {
		s.free(http.MethodPost, "/_miroir/dev/nodes/:node/stop", ActionAdmin, func(c *call) error {
			return switchNode(c, s.opts.Nodes.StopNode, "stopped")
		})
		s.free(http.MethodPost, "/_miroir/dev/nodes/:node/start", ActionAdmin, func(c *call) error {
			return switchNode(c, s.opts.Nodes.StartNode, "started")
		})
	}
}

// readiness is the answer of /ready: 200 when requests should be sent here.
func (s *Server) readiness() (int, []byte) {
	reason := ""
	if s.draining.Load() {
		reason = "the server is stopping"
	} else if err := s.opts.Door.Ready(); err != nil {
		reason = err.Error()
	}
	if reason == "" {
		return http.StatusOK, []byte(`{"status":"ready"}`)
	}
	return http.StatusServiceUnavailable, []byte(`{"status":"not ready","reason":` + api.QuoteJSON(reason) + `}`)
}

// getTaskParts is a task with what each node did of it.
func getTaskParts(c *call) error {
	t, err := c.taskInPath()
	if err != nil {
		return err
	}
	parts, err := c.s.opts.Door.TaskParts(c.ctx(), t.UID)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if parts == nil {
		parts = []messages.TaskPart{}
	}
	return c.json(http.StatusOK, struct {
		taskView
		Parts []messages.TaskPart `json:"parts"`
	}{viewTask(t), parts})
}

// statsView is GET /admin/stats: the fleet at a glance.
type statsView struct {
	Ready             bool             `json:"ready"`
	Reason            string           `json:"reason,omitempty"`
	UptimeSeconds     int64            `json:"uptimeSeconds"`
	Groups            int              `json:"groups"`
	Nodes             map[string]int   `json:"nodes"` // by state
	Behind            int              `json:"behind"`
	Degraded          bool             `json:"degraded"`
	Shards            int              `json:"shards"`
	ReplicationFactor int              `json:"replicationFactor"`
	Indexes           int              `json:"indexes"`
	Tasks             map[string]int64 `json:"tasks"` // by status
	RequestsRunning   int              `json:"requestsRunning"`
	RequestBytesHeld  int64            `json:"requestBytesHeld"`
	// Stats is GET /stats as a client with the master key sees it; left out when
	// no node can tell.
	Stats json.RawMessage `json:"stats,omitempty"`
}

func adminStats(c *call) error {
	s, door := c.s, c.s.opts.Door
	top := door.Topology()
	v := statsView{Ready: true, UptimeSeconds: int64(time.Since(s.created).Seconds()), Groups: len(top.Groups), Nodes: map[string]int{},
		Degraded: top.Degraded, Shards: top.Shards, ReplicationFactor: top.ReplicationFactor, Indexes: len(door.Indexes()),
		Tasks: map[string]int64{}, RequestsRunning: len(s.places), RequestBytesHeld: s.bodies.Load()}
	if err := door.Ready(); err != nil {
		v.Ready, v.Reason = false, err.Error()
	}
	for _, g := range top.Groups {
		for _, n := range g.Nodes {
			v.Nodes[n.State]++
			v.Behind += n.Behind
		}
	}
	for _, status := range api.TaskStatuses() {
		found, err := door.Tasks(c.ctx(), &store.TaskQuery{Statuses: []string{status}, Limit: 1})
		if err != nil {
			return err
		}
		v.Tasks[status] = found.Total
	}
	if a := door.Read(c.ctx(), &messages.GetStats{}); answerError(a) == nil {
		c.took(a)
		v.Stats = a.Body
	}
	return c.json(http.StatusOK, v)
}

func switchNode(c *call, turn func(id string) (bool, error), done string) error {
	id := c.param("node")
	known, err := turn(id)
	switch {
	case !known:
		return &statusError{body: api.Errorf("bad_request", "There is no node `%s`. GET /_miroir/topology lists them.", id), status: http.StatusNotFound}
	case err != nil:
		return &statusError{body: api.Errorf("internal", "The node `%s` cannot be %s: %v.", id, done, err), status: http.StatusInternalServerError}
	}
	return c.bytes(http.StatusOK, []byte(`{"node":`+api.QuoteJSON(id)+`,"status":"`+done+`"}`))
}
