package messages

import "time"

// Topology is what GET /_miroir/topology shows.
type Topology struct {
	Version           uint64          `json:"version"`
	Shards            int             `json:"shards"`
	ReplicationFactor int             `json:"replicationFactor"`
	Degraded          bool            `json:"degraded"`
	Groups            []TopologyGroup `json:"groups"`
	// Rebuilds are the copies that have to be made equal to healthy ones. They are not
	// read until then.
	Rebuilds []TopologyRebuild `json:"rebuilds"`
	// Move is the change of the configuration that is under way; absent when every
	// index is where the configuration says.
	Move *TopologyMove `json:"move,omitempty"`
}

// TopologyMove is how far indexes have come on their way to where the configuration
// says. Totals count what was to be done when Miroir started.
type TopologyMove struct {
	From      []uint64 `json:"from"` // versions that something still lies on
	To        uint64   `json:"to"`
	Indexes   Progress `json:"indexes"`   // served from there
	Shards    Progress `json:"shards"`    // copies of shards that are brought there and were seen to be equal
	Documents int64    `json:"documents"` // copied or compared so far by rebuilds that are under way
	Leaving   []string `json:"leaving"`   // nodes that have left the configuration and are not released yet
}

// Progress is how much of something is done.
type Progress struct {
	Done  int `json:"done"`
	Total int `json:"total"`
}

// TopologyRebuild is a node's copy of some shards of an index that is rebuilt.
type TopologyRebuild struct {
	Node     string    `json:"node"`
	IndexUID string    `json:"indexUid"`
	Shards   []int     `json:"shards"`
	Reason   string    `json:"reason"`
	Since    time.Time `json:"since"`
	State    string    `json:"state"`  // waiting, copying, comparing, finishing
	Copied   int64     `json:"copied"` // documents that were copied, or compared, so far
	Total    int64     `json:"total"`
	Problem  string    `json:"problem"` // why the last attempt failed; empty when it did not
}

// TopologyGroup is one replica group.
type TopologyGroup struct {
	ID    int            `json:"id"`
	Nodes []TopologyNode `json:"nodes"`
}

// TopologyNode is one node as Miroir sees it now.
type TopologyNode struct {
	ID      string    `json:"id"`
	Address string    `json:"address"`
	State   string    `json:"state"` // ready, broken, probing, catching up
	Since   time.Time `json:"since"`
	Reason  string    `json:"reason"` // why it is not ready; empty when it is
	Version string    `json:"version"`
	// Shards counts the shards of an index with the default number of shards
	// that the node owns.
	Shards int `json:"shards"`
	// Behind counts the writes that the node has missed and not yet caught up.
	Behind int `json:"behind"`
	// Leaving says that the node has left the configuration, and serves until what it
	// holds has moved.
	Leaving bool `json:"leaving,omitempty"`
}

// ShardPlacement is one shard in GET /_miroir/shards.
type ShardPlacement struct {
	Shard  int             `json:"shard"`
	Owners []ShardOwnerSet `json:"owners"`
}

// ShardOwnerSet lists the owners of a shard in one group.
type ShardOwnerSet struct {
	Group int      `json:"group"`
	Nodes []string `json:"nodes"`
}

// IndexPlacement is one index in GET /_miroir/shards.
type IndexPlacement struct {
	IndexUID string `json:"indexUid"`
	Shards   int    `json:"shards"`
	// Unreadable lists shards of the index without any readable copy.
	Unreadable []int `json:"unreadable"`
}

// Shards is what GET /_miroir/shards shows.
type Shards struct {
	Shards  []ShardPlacement `json:"shards"`
	Indexes []IndexPlacement `json:"indexes"`
}

// TaskPart is one node's part of one step of a task.
type TaskPart struct {
	Step      int64   `json:"step"`
	Kind      string  `json:"kind"`
	Node      string  `json:"node"`
	State     string  `json:"state"`
	NodeTasks []int64 `json:"nodeTasks"`
	DumpUID   string  `json:"dumpUid,omitempty"` // of the node's own dump
	Error     any     `json:"error"`
}
