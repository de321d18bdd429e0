package actors

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/miroir-search/miroir/topology"
)

// nodeHandle is what the rest of the cluster knows of one node. It is made
// outside the node actor's producer, so a restarted actor finds the slots that
// are taken and the node's last task uid.
type nodeHandle struct {
	index topology.NodeIndex
	node  topology.Node
	pid   *actor.PID

	inflight atomic.Int64 // read calls under way
	latency  atomic.Int64 // smoothed, nanoseconds
	lastTask atomic.Int64 // the node's newest task uid that we know of, -1: none
	version  atomic.Pointer[nodeVersion]
	status   atomic.Pointer[nodeStatus]
	behind   atomic.Int64 // deliveries that wait for the node
	probes   atomic.Int64 // failed probes since the start
	claimed  atomic.Bool  // the store knows that the node is ours
	unswept  atomic.Bool  // it may have indexes that are gone
	// equipped is the change of experimental features that the node was told of.
	equipping sync.Mutex
	equipped  int64

	released atomic.Bool // it has left the configuration, and nothing is asked of it any more

	// What follows is touched by the node actor only, and survives its restarts.
	restarts quarantine
	laneBusy bool             // a delivery is under way
	busyWith int64            // the entry of that delivery
	landed   *delivered       // the end of a delivery that came while the lane was being rebuilt
	newest   map[string]int64 // index id -> newest entry that has come

	// base is the newest task that the store had accounted for when the cluster
	// started, accounted the newest of each index since. Only the delivery
	// under way touches the map, and there is one at a time.
	base      int64
	accounted map[string]int64
	// recorded is the newest task that the store accounts for. The task keeper's.
	recorded int64
}

// nodeStatus is a node's health as operators see it.
type nodeStatus struct {
	state  nodeState
	since  time.Time
	reason string
}

// nodeVersion is what GET /version of a node says.
type nodeVersion struct {
	PkgVersion string `json:"pkgVersion"`
	CommitSHA  string `json:"commitSha"`
	CommitDate string `json:"commitDate"`
	minor      int    // of 1.minor.patch; later majors count as very new
}

// knowsCustomMetadata reports whether the node takes customMetadata on document
// routes; 1.21 answers it with 400.
func (v *nodeVersion) knowsCustomMetadata() bool { return v != nil && v.minor >= 50 }

// capsTotals reports whether searches of the node cap totals at maxTotalHits,
// as the search path before the federated one did.
func (v *nodeVersion) capsTotals() bool { return v != nil && v.minor < 50 }

// oldestMinor is the oldest 1.x that Miroir works with.
const oldestMinor = 21

func (h *nodeHandle) observe(took time.Duration) {
	old := h.latency.Load()
	if old == 0 {
		h.latency.Store(int64(took))
		return
	}
	h.latency.Store(old + (int64(took)-old)/8)
}

// load orders nodes by how busy and slow they are.
func (h *nodeHandle) load() int64 {
	return (h.inflight.Load() + 1) * max(h.latency.Load(), int64(50*time.Microsecond))
}

// sawTask records a task uid of the node.
func (h *nodeHandle) sawTask(uid int64) {
	for {
		old := h.lastTask.Load()
		if uid <= old || h.lastTask.CompareAndSwap(old, uid) {
			return
		}
	}
}
