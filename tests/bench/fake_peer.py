"""A peer without an engine: what a worker needs to know of one. The nets are empty."""

import time


class Peer:
    def __init__(self, threads, version="fake 1", fail="", parameters=976, broken=False):
        if broken:
            import an_engine_that_nobody_has  # noqa: F401
        self.version, self.fail, self.parameters = f"{version}, {threads}", fail, parameters

    def net(self, name, x, y):
        if self.fail:
            raise RuntimeError(self.fail)
        print("noise that must not reach the answers")
        assert x.shape == (32, 10) and y.max() < 10
        return {"step": lambda: time.sleep(0.001)}, self.parameters

    def inference(self, name, x):
        assert x.shape == (3, 10)
        return {"inference": lambda: time.sleep(0.001)}, self.parameters

    def op(self, bind):
        made = []

        def make(array, gradient):
            made.append((array, gradient))
            return array

        run = bind(lambda name: lambda *arguments, **keywords: [name, len(arguments)], make)
        assert made and run()[1] == len(made)
        return {"forward": run, "backward": lambda: time.sleep(0.001)}

    def update(self, name, arrays, arguments):
        return {"update": lambda: None}
