package protocol

// ConnectRequest opens a stream from the host to Network ("tcp" or "unix")
// Address. After a 200 the bodies of request and response carry its bytes.
type ConnectRequest struct {
	Network string `json:"network"`
	Address string `json:"address"`
	// TimeoutMillis bounds the dialling; 0 means 5000.
	TimeoutMillis int `json:"timeoutMillis,omitempty"`
	// PodIP connects from the network namespace of the pod that has this
	// address, as the pod itself would; Address must then be an IP address.
	PodIP string `json:"podIP,omitempty"`
}

// DialRequest tries to reach TCP addresses from the host, all at once.
type DialRequest struct {
	Addresses     []string `json:"addresses"`
	TimeoutMillis int      `json:"timeoutMillis"`
	// Expect, when set, is what the peer must send first (a listener's nonce).
	Expect string `json:"expect,omitempty"`
	// UDP sends Expect, which must not be empty, in datagrams until it comes
	// back; nobody answers to anything else.
	UDP bool `json:"udp,omitempty"`
}

// DialReply has one result an address, in order.
type DialReply struct {
	Results []DialResult `json:"results"`
}

// DialResult is how one dial went.
type DialResult struct {
	Error  string `json:"error,omitempty"` // empty when it connected, and sent what was expected
	Micros int64  `json:"micros"`          // time to connect
	// Connected tells that the connection came about, whatever was sent then.
	Connected bool `json:"connected,omitempty"`
	// Answer tells what came where something was expected.
	Answer Answer `json:"answer,omitempty"`
}

// Answer is what the peer of a dial sent first.
type Answer string

// The answers.
const (
	AnswerExpected Answer = "expected"
	AnswerOther    Answer = "other"   // it is somebody else
	AnswerPartial  Answer = "partial" // nothing, or the beginning, in time
)

// ListenRequest listens on TCP addresses for as long as the request lasts and
// sends Nonce to whoever connects.
type ListenRequest struct {
	Addresses []string `json:"addresses"`
	Nonce     string   `json:"nonce"`
	// HTTPS stands in for an API server instead: over TLS, with a certificate
	// made for the occasion, every request is answered with 200 and the nonce.
	// ListenReport lines then follow the reply.
	HTTPS bool `json:"https,omitempty"`
	// UDP receives datagrams instead, and sends those that are the nonce back.
	UDP bool `json:"udp,omitempty"`
}

// ListenReply is sent, as one line of JSON, when all listeners are up (or have failed).
type ListenReply struct {
	// Errors maps an address to why it could not be listened on.
	Errors map[string]string `json:"errors,omitempty"`
	// Certificate (DER) is what the HTTPS listeners prove themselves with.
	Certificate []byte `json:"certificate,omitempty"`
}

// ListenReport is what HTTPS listeners have seen since they began. It is sent
// as a line of JSON whenever it has changed.
type ListenReport struct {
	// Peers are those who connected, by IP address.
	Peers map[string]PeerReport `json:"peers,omitempty"`
	// Attempts are the connections that others began to make to the host, as
	// seen on its interfaces: also to ports that nothing listens on, and before
	// a firewall of the host's own dropped them. Sorted by From, then Port.
	Attempts []Attempt `json:"attempts,omitempty"`
	// Blind says why attempts cannot be seen; empty when they can.
	Blind string `json:"blind,omitempty"`
}

// PeerReport counts what one peer did.
type PeerReport struct {
	Connections int `json:"connections"`
	Requests    int `json:"requests"` // answered
	// Failed counts connections on which TLS failed otherwise than by being
	// closed at once, as a check by TCP does; Failure is the last reason.
	Failed  int    `json:"failed,omitempty"`
	Failure string `json:"failure,omitempty"`
}

// Attempt counts connections begun by one IP address to one TCP port.
type Attempt struct {
	From  string `json:"from"`
	Port  int    `json:"port"`
	Count int    `json:"count"`
}
