// Load sends one HTTP request again and again and says as a line of JSON what became of it. With -rate 0 each connection
// sends its next request when the last was answered (closed loop). With a rate, requests are due at constant distances
// whatever becomes of them (open loop), and times count from when a request was due, not from when it could be sent.
//
// It speaks plain HTTP/1.1 on raw sockets because a general client takes more processor time for a request than the
// servers that it measures, on the same cores.
//
//	load -address 127.0.0.1:8000 -request FILE -connections 64 -seconds 5 -rate 1000
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"net/textproto"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// What became of the requests; times are milliseconds from when each was due, of those answered with 200.
type summary struct {
	Sent       int            `json:"sent"`
	Statuses   map[string]int `json:"statuses"`
	Unanswered int            `json:"unanswered"`
	Failure    string         `json:"failure,omitempty"`
	Seconds    float64        `json:"seconds"`
	P50Ms      float64        `json:"p50Ms"`
	P99Ms      float64        `json:"p99Ms"`
	WithinMs   float64        `json:"withinMs"`
	Within     int            `json:"within"`
}

// What one connection saw.
type seen struct {
	took     []time.Duration
	statuses map[int]int
	lost     int
	failure  string
}

func main() {
	address := flag.String("address", "", "HOST:PORT of the server")
	file := flag.String("request", "", "file of the whole request, head and body")
	connections := flag.Int("connections", 64, "connections, each with at most one request under way")
	seconds := flag.Float64("seconds", 5, "seconds in which requests are sent")
	rate := flag.Float64("rate", 0, "requests a second; 0: as many as are answered")
	within := flag.Float64("within-ms", 100, "time within which answers are counted")
	grace := flag.Float64("grace", 3, "seconds after the last request until what is unanswered is given up")
	flag.Parse()
	request, err := os.ReadFile(*file)
	if err != nil || *address == "" || *connections < 1 || *seconds <= 0 || *rate < 0 {
		fmt.Fprintln(os.Stderr, "load: needs -address, a readable -request, -connections of 1 or more, -seconds above 0", err)
		os.Exit(2)
	}

	open := make([]net.Conn, *connections)
	for index := range open {
		if open[index], err = net.Dial("tcp", *address); err != nil {
			fmt.Fprintln(os.Stderr, "load:", err)
			os.Exit(1)
		}
	}
	start := time.Now()
	end := start.Add(time.Duration(*seconds * float64(time.Second)))
	deadline := end.Add(time.Duration(*grace * float64(time.Second)))
	all := 0
	next := func() (time.Time, bool) { now := time.Now(); return now, now.Before(end) }
	if *rate > 0 {
		all = int(*rate * *seconds)
		next = schedule(start, *rate, all)
	}

	results := make([]seen, *connections)
	var running sync.WaitGroup
	for index, conn := range open {
		running.Add(1)
		go func() {
			defer running.Done()
			results[index] = drive(conn, *address, request, next, deadline)
		}()
	}
	running.Wait()
	json.NewEncoder(os.Stdout).Encode(summarise(results, all, time.Since(start), *within))
}

// Hands out the times at which requests are due, each once it has come; none is left out when connections are busy.
func schedule(start time.Time, rate float64, all int) func() (time.Time, bool) {
	due := make(chan time.Time, all)
	go func() {
		defer close(due)
		for sent := 0; sent < all; sent++ {
			at := start.Add(time.Duration(float64(sent) / rate * float64(time.Second)))
			if wait := time.Until(at); wait > 0 {
				time.Sleep(wait)
			}
			due <- at
		}
	}()
	return func() (time.Time, bool) { at, more := <-due; return at, more }
}

// Sends requests on a connection until there are no more, and opens it again when it breaks.
func drive(conn net.Conn, address string, request []byte, next func() (time.Time, bool), deadline time.Time) seen {
	result := seen{statuses: map[int]int{}}
	reader := bufio.NewReaderSize(conn, 16<<10)
	conn.SetDeadline(deadline)
	for {
		due, more := next()
		if !more {
			break
		}
		if !time.Now().Before(deadline) {
			result.lost++
			continue
		}
		status, closes, err := exchange(conn, reader, request)
		if err == nil {
			result.statuses[status]++
			if status == 200 {
				result.took = append(result.took, time.Since(due))
			}
		} else {
			result.lost++
			if result.failure == "" {
				result.failure = err.Error()
			}
		}
		if err != nil || closes {
			conn.Close()
			if conn, err = net.DialTimeout("tcp", address, time.Second); err != nil {
				result.failure = err.Error()
				break
			}
			reader.Reset(conn)
			conn.SetDeadline(deadline)
		}
	}
	if conn != nil {
		conn.Close()
	}
	return result
}

// Sends the request and reads its answer to the end.
func exchange(conn net.Conn, reader *bufio.Reader, request []byte) (status int, closes bool, err error) {
	if _, err = conn.Write(request); err != nil {
		return
	}
	line, err := reader.ReadSlice('\n')
	if err != nil {
		return
	}
	if len(line) < 12 {
		return 0, true, fmt.Errorf("no HTTP: %q", line)
	}
	if status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return
	}
	length, chunked := 0, false
	for {
		if line, err = reader.ReadSlice('\n'); err != nil {
			return
		}
		name, value, found := strings.Cut(string(line), ":")
		if !found {
			break
		}
		value = strings.TrimSpace(value)
		switch {
		case strings.EqualFold(name, "content-length"):
			if length, err = strconv.Atoi(value); err != nil {
				return
			}
		case strings.EqualFold(name, "transfer-encoding"):
			chunked = strings.EqualFold(value, "chunked")
		case strings.EqualFold(name, "connection"):
			closes = strings.EqualFold(value, "close")
		}
	}
	if !chunked {
		_, err = reader.Discard(length)
		return
	}
	for {
		if line, err = reader.ReadSlice('\n'); err != nil {
			return
		}
		size, failed := strconv.ParseUint(string(textproto.TrimBytes(line)), 16, 31)
		if failed != nil {
			return status, true, failed
		}
		if _, err = reader.Discard(int(size) + 2); err != nil || size == 0 {
			return
		}
	}
}

// Adds up what the connections saw; all is the number of requests that were due, or 0 where each was sent.
func summarise(results []seen, all int, took time.Duration, withinMs float64) summary {
	total := summary{Statuses: map[string]int{}, Seconds: took.Seconds(), WithinMs: withinMs}
	var times []time.Duration
	answered := 0
	for _, each := range results {
		times = append(times, each.took...)
		for status, count := range each.statuses {
			total.Statuses[strconv.Itoa(status)] += count
			answered += count
		}
		total.Unanswered += each.lost
		if each.failure != "" {
			total.Failure = each.failure
		}
	}
	total.Sent = max(all, answered+total.Unanswered)
	total.Unanswered = total.Sent - answered
	slices.Sort(times)
	at := func(share float64) float64 {
		if len(times) == 0 {
			return 0
		}
		return float64(times[int(share*float64(len(times)-1))].Microseconds()) / 1000
	}
	total.P50Ms, total.P99Ms = at(0.5), at(0.99)
	for _, each := range times {
		if float64(each.Microseconds())/1000 <= withinMs {
			total.Within++
		}
	}
	return total
}
