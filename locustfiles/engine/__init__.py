"""The engine under the user classes: requests of many users side by side, driven by epoll in one native thread.

engine     users, their scripts and plans, and what is counted
reactor    epoll
wires      which way a request goes: `direct`, on connections of our own, or `curl`, by libcurl
direct     HTTP/1.1: `written` requests, `servers` and their `names`, `connection` (TCP and TLS), answers as `http1` reads
curl       h2, and whatever `direct` does not do: chosen curves, unusual URLs and headers

It is in this folder, and not in plumbline, since only load needs libcurl and Locust; what is judged of a run is in
plumbline.load. Nothing here but `user`, `merge` and `host` knows of Locust or gevent, so that the rest runs, and is
tested, in any thread.
"""
