update ampel.system set stream_epoch = stream_epoch + 1 returning stream_epoch;
