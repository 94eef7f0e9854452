"""The engine under the user classes: libcurl, driven by epoll in one native thread of a Locust process.

It is in this folder, and not in plumbline, since only load needs libcurl and Locust; what is judged of a run is in
plumbline.load. Nothing here but `user`, `merge` and `bridge` knows of Locust or gevent, so that the rest runs, and is
tested, in any thread.
"""
